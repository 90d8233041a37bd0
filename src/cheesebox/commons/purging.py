"""Purges on all nodes: what this one has, and what the shared store has.

Rules of this module:
1. Each node hears of the selection, and removes what it has of that: no node knows what another has.
2. The register cannot look for a project; the names in the storage tell all that a selection asks for. So
   a purge walks the storage once, which takes seconds for a hundred thousand objects.
3. What no record names is removed at once: as garbage nobody would know of it, and later it would be
   taken over as if it had been lost.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from cheesebox.cache import digests
from cheesebox.cache.objects import project_of_key
from cheesebox.cache.purge import Purged, Selection
from cheesebox.commons.names import read_name
from cheesebox.errors import EngineError, StoreError
from cheesebox.ports import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from cheesebox.cache.purge import Purge
    from cheesebox.commons.commons import Commons
    from cheesebox.engines import StoredObject
    from cheesebox.ports import Key

log = logging.getLogger(__name__)

_BATCH = 500


@dataclass(frozen=True, slots=True)
class _Found:
    key: Key
    stored: StoredObject


class SharedPurge:
    """Removes what is selected from every node."""

    def __init__(self, here: Purge, commons: Commons) -> None:
        self._here = here
        self._commons = commons

    async def run(self, selection: Selection) -> Purged:
        """Remove; raises `StoreError`, also when the shared store cannot be reached."""
        left = dict.fromkeys(await self._here.selected(selection))
        here = await self._here.run(selection)
        objects, size = 0, 0
        try:
            await self._announce(selection)
            async for batch in self._selected(selection):
                await self._purge_objects(batch)
                objects += len(batch)
                for found in batch:
                    size += found.stored.size
                    left.pop(found.key, None)
            for keys in _in_batches([*left]):  # what is not in the storage may be on the disk of others
                await self._purge(keys)
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

    async def _purge_objects(self, batch: Sequence[_Found]) -> None:
        unknown = [found.stored.name for found in batch if not await self._is_known(found)]
        await self._purge([found.key for found in batch])
        if unknown:
            await self._commons.remove(unknown)

    async def _is_known(self, found: _Found) -> bool:
        with self._commons.register_health.watching():
            record = await self._commons.register.find(found.key)
        return record is not None and record.name == found.stored.name

    async def _announce(self, selection: Selection) -> None:
        with self._commons.register_health.watching():
            await self._commons.register.announce(write_selection(selection))

    async def _purge(self, keys: Sequence[Key]) -> None:
        with self._commons.register_health.watching():
            await self._commons.register.purge(keys)

    async def _selected(self, selection: Selection) -> AsyncIterator[list[_Found]]:
        batch: list[_Found] = []
        with self._commons.storage_health.watching():
            async for found in self._commons.objects.walk():
                named = read_name(found.name)
                if named is None:
                    continue
                kind = _kind_of(named.key, is_file=digests.is_of_file(named.digest))
                entry = Entry(named.key, kind, found.size, named.digest, "", fetched_at=found.stored_at)
                is_project = selection.project in (None, project_of_key(entry.key))
                if is_project and selection.selects(entry):
                    batch.append(_Found(entry.key, found))
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
        if batch:
            yield batch


def write_selection(selection: Selection) -> str:
    """Write a selection as the other nodes read it."""
    return msgspec.json.encode(selection).decode()


def read_selection(text: str) -> Selection:
    """Read what another node has written; raises `EngineError`."""
    try:
        return msgspec.json.decode(text, type=Selection)
    except msgspec.DecodeError as error:
        raise EngineError(f"a selection of another version of this program: {error}") from error


def _in_batches(keys: list[Key]) -> Iterator[list[Key]]:
    for start in range(0, len(keys), _BATCH):
        yield keys[start : start + _BATCH]


def _kind_of(key: Key, *, is_file: bool) -> Kind:
    if not is_file:
        return Kind.PAGE
    return Kind.METADATA if key.endswith(".metadata") else Kind.FILE
