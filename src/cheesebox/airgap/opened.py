"""Opens the cache directory for a command that no server stands beside."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from cheesebox.adapters.disk_store import DiskStore
from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.cache.blocking import Blocking
from cheesebox.cache.eviction import Limits, Room
from cheesebox.cache.index import Index
from cheesebox.cache.shelf import Shelf
from cheesebox.errors import SettingsError
from cheesebox.indexes import index_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cheesebox.settings import IndexSettings, Settings

_CATALOGUE = "catalogue.sqlite"


@asynccontextmanager
async def opened_shelf(settings: Settings, *, must_exist: bool = False) -> AsyncIterator[Shelf]:
    """Own the cache directory for a while; raises `SettingsError` when another program has it."""
    file = settings.cache_dir / _CATALOGUE
    if must_exist and not file.exists():
        raise SettingsError(f"cache_dir {settings.cache_dir}: no catalogue there; nothing was cached yet")
    async with AsyncExitStack() as resources:
        store, blocking = DiskStore(settings.cache_dir), Blocking()
        resources.callback(store.close)
        resources.callback(blocking.close)
        await blocking(store.prepare)
        catalogue = await blocking(SqliteCatalogue, file)
        resources.callback(catalogue.close)
        resources.callback(blocking.close)  # before the catalogue: calls under way still use it
        limits = Limits(settings.max_size, settings.max_entries, settings.min_free, settings.inactive)
        room = Room(limits, store, catalogue, blocking, time.time)
        shelf = Shelf(store, catalogue, room, blocking, time.time)
        resources.callback(shelf.close)
        await blocking(shelf.settle)
        yield shelf


def carried_index(s: IndexSettings, shelf: Shelf) -> Index:
    """Give an upstream's index; raises `SettingsError` for one that keeps no files of its own."""
    if s.sources:
        raise SettingsError(f"index {s.name!r} is merged: name one of its sources, --index {s.sources[0]}")
    if s.path is not None:
        raise SettingsError(f"index {s.name!r} is a directory: copy {s.path} itself")
    return Index(index_options(s), shelf.catalogue, shelf.clock)
