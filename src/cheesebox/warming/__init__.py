"""Filling a cache ahead, by asking the cache itself."""
