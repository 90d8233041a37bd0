"""Decisions and use cases of the cache: pages, files, flights, freshness, eviction."""
