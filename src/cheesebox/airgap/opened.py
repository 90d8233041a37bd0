"""Opens the cache directory for a command that no server stands beside."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from cheesebox.cache.index import Index
from cheesebox.errors import SettingsError
from cheesebox.indexes import index_options
from cheesebox.opening import catalogue_file, open_shelf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cheesebox.cache.shelf import Shelf
    from cheesebox.settings import IndexSettings, Settings


@asynccontextmanager
async def opened_shelf(settings: Settings, *, must_exist: bool = False) -> AsyncIterator[Shelf]:
    """Own the cache directory for a while; raises `SettingsError` when another program has it."""
    if must_exist and not catalogue_file(settings).exists():
        raise SettingsError(f"cache_dir {settings.cache_dir}: no catalogue there; nothing was cached yet")
    async with AsyncExitStack() as resources:
        yield await open_shelf(settings, resources, time.time)


def carried_index(s: IndexSettings, shelf: Shelf) -> Index:
    """Give an upstream's index; raises `SettingsError` for one that keeps no files of its own."""
    if s.sources:
        raise SettingsError(f"index {s.name!r} is merged: name one of its sources, --index {s.sources[0]}")
    if s.path is not None:
        raise SettingsError(f"index {s.name!r} is a directory: copy {s.path} itself")
    return Index(index_options(s), shelf.catalogue, shelf.clock)
