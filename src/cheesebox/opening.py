"""Opens the cache directory: what a server begins with, and a command that no server stands beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.adapters.disk_store import DiskStore
from cheesebox.adapters.part_notes import DiskPartNotes
from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.cache.blocking import Blocking
from cheesebox.cache.eviction import Limits, Room
from cheesebox.cache.leftovers import Leftovers
from cheesebox.cache.shelf import Shelf

if TYPE_CHECKING:
    from contextlib import AsyncExitStack
    from pathlib import Path

    from cheesebox.ports import Clock
    from cheesebox.settings import Settings


def catalogue_file(settings: Settings) -> Path:
    """Give where the catalogue lies."""
    return settings.cache_dir / "catalogue.sqlite"


async def open_shelf(
    settings: Settings, resources: AsyncExitStack, clock: Clock, *, keeps_parts: bool = False
) -> Shelf:
    """Own the cache directory until the resources are closed; what a crash left is settled.

    ``keeps_parts``: parts of downloads that a crash left are taken over by the next download.
    Raises `SettingsError` when another program has the directory, `StoreError` when it can't be used.
    """
    store, blocking = DiskStore(settings.cache_dir, keeps_parts=keeps_parts), Blocking()
    resources.callback(store.close)
    resources.callback(blocking.close)
    await blocking(store.prepare)
    catalogue = await blocking(SqliteCatalogue, catalogue_file(settings))
    resources.callback(catalogue.close)
    resources.callback(blocking.close)  # before the catalogue: calls under way still use it
    limits = Limits(settings.max_size, settings.max_entries, settings.min_free, settings.inactive)
    shelf = Shelf(store, catalogue, Room(limits, store, catalogue, blocking, clock), blocking, clock)
    resources.callback(shelf.close)
    await blocking(shelf.settle)
    if keeps_parts:
        shelf.leftovers = Leftovers(DiskPartNotes(store.parts), shelf.room, blocking)
        await shelf.leftovers.open()
    return shelf
