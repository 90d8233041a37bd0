"""What several nodes have in common: one upstream request for all, one shared store of bodies."""
