"""Purges on all nodes: what this one has, and what the shared store has.

The register cannot look for a project; the names in the storage tell all that a selection asks for. So a
purge walks the storage once, which takes seconds for a hundred thousand objects.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cheesebox.cache import digests
from cheesebox.cache.objects import project_of_key
from cheesebox.cache.purge import Purged
from cheesebox.commons.names import read_name
from cheesebox.errors import EngineError, StoreError
from cheesebox.ports import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from cheesebox.cache.purge import Purge, Selection
    from cheesebox.commons.commons import Commons
    from cheesebox.ports import Key

log = logging.getLogger(__name__)

_BATCH = 500


class SharedPurge:
    """Removes what is selected from every node."""

    def __init__(self, here: Purge, commons: Commons) -> None:
        self._here = here
        self._commons = commons

    async def run(self, selection: Selection) -> Purged:
        """Remove; raises `StoreError`, also when the shared store cannot be reached."""
        here = await self._here.run(selection)
        objects, size = 0, 0
        try:
            async for batch in self._selected(selection):
                await self._purge([entry.key for entry in batch])
                objects += len(batch)
                size += sum(entry.size for entry in batch)
        except EngineError as error:
            raise StoreError(f"removed here, but not everywhere: {error}") from error
        return Purged(max(here.objects, objects), max(here.bytes, size))

    async def remove(self, keys: Sequence[Key]) -> Purged:
        """Remove exactly these objects; raises as `run` does."""
        here = await self._here.remove(keys)
        try:
            await self._purge(keys)
        except EngineError as error:
            raise StoreError(f"removed here, but not everywhere: {error}") from error
        return here

    async def _purge(self, keys: Sequence[Key]) -> None:
        with self._commons.register_health.watching():
            await self._commons.register.purge(keys)

    async def _selected(self, selection: Selection) -> AsyncIterator[list[Entry]]:
        batch: list[Entry] = []
        with self._commons.storage_health.watching():
            async for found in self._commons.objects.walk():
                named = read_name(found.name)
                if named is None:
                    continue
                kind = _kind_of(named.key, is_file=digests.is_of_file(named.digest))
                entry = Entry(named.key, kind, found.size, named.digest, "", fetched_at=found.stored_at)
                is_project = selection.project in (None, project_of_key(entry.key))
                if is_project and selection.selects(entry):
                    batch.append(entry)
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
        if batch:
            yield batch


def _kind_of(key: Key, *, is_file: bool) -> Kind:
    if not is_file:
        return Kind.PAGE
    return Kind.METADATA if key.endswith(".metadata") else Kind.FILE
