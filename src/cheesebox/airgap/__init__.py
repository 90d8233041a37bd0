"""Carrying a cache, or a part of it, to a place without a network: exports and imports."""
