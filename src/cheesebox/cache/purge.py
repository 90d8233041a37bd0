"""Removes stored objects on demand, so that the next request asks upstream again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cheesebox.cache.blocking import to_the_end
from cheesebox.cache.objects import index_of
from cheesebox.ports import Entry, Kind
from cheesebox.simple.names import ProjectName, release_key, release_key_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from cheesebox.cache.shelf import Shelf
    from cheesebox.ports import Holdings, Key

_FILES = (Kind.FILE, Kind.METADATA)
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Selection:
    """What to remove: all conditions that are given must hold; none given selects everything.

    ``stored_before`` is in seconds since the epoch. A ``version`` selects files and their metadata
    only: the page of a project is that of all its versions.
    """

    project: ProjectName | None = None
    version: str | None = None
    index: str | None = None
    stored_before: float | None = None

    def selects(self, entry: Entry) -> bool:
        """Tell whether an object is meant; the project has been looked at before."""
        if self.index is not None and index_of(entry.key) != self.index:
            return False
        if self.stored_before is not None and entry.fetched_at >= self.stored_before:
            return False
        if self.version is None:
            return True
        filename = entry.key.rpartition("/")[2]
        return entry.kind in _FILES and release_key_of(filename) == release_key(self.version)


@dataclass(frozen=True, slots=True)
class Purged:
    """What was removed."""

    objects: int
    bytes: int


class Purging(Protocol):
    """Removes objects; both raise `StoreError`."""

    async def run(self, selection: Selection) -> Purged:
        """Remove what is selected."""
        ...

    async def remove(self, keys: Sequence[Key]) -> Purged:
        """Remove exactly these, those of them that are there."""
        ...


class Purge:
    """Removes what is selected, from disk and from memory."""

    def __init__(self, shelf: Shelf, holdings: Holdings, forget: Callable[[Sequence[Key]], None]) -> None:
        """``forget`` lets go of what memory holds of these keys, and of all that was made ready."""
        self._shelf = shelf
        self._holdings = holdings
        self._forget = forget

    async def run(self, selection: Selection) -> Purged:
        """Remove; raises `StoreError`. What is stored meanwhile may stay."""
        objects, size = 0, 0
        async for batch in self._batches(selection):
            await self._remove(batch)
            objects += len(batch)
            size += sum(entry.size for entry in batch)
        return Purged(objects, size)

    async def remove(self, keys: Sequence[Key]) -> Purged:
        """Remove exactly these objects, those of them that are there; raises `StoreError`."""
        entries = await self._shelf.blocking(lambda: [*map(self._shelf.entry, dict.fromkeys(keys))])
        found = [entry for entry in entries if entry is not None]
        if found:
            await self._remove(found)
        self._forget(keys)  # memory may hold what the disk has not any more, or that there is no such thing
        return Purged(len(found), sum(entry.size for entry in found))

    async def selected(self, selection: Selection) -> list[Key]:
        """Tell what `run` would remove now; raises `StoreError`."""
        return [entry.key async for batch in self._batches(selection) for entry in batch]

    async def _remove(self, entries: Sequence[Entry]) -> None:
        keys = [entry.key for entry in entries]
        await to_the_end(self._shelf.blocking(self._shelf.room.remove, keys))
        self._forget(keys)

    async def _batches(self, selection: Selection) -> AsyncIterator[list[Entry]]:
        if selection.project is not None:
            found = await self._shelf.blocking(self._holdings.objects, selection.project)
            if chosen := [entry for entry in found if selection.selects(entry)]:
                yield chosen
            return
        after: Key | None = None
        while page := await self._shelf.blocking(self._shelf.catalogue.entries, after, _BATCH):
            after = page[-1].key
            if chosen := [entry for entry in page if selection.selects(entry)]:
                yield chosen
