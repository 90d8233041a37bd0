"""Several processes on one cache directory: one keeper that has it, and workers that answer clients."""
