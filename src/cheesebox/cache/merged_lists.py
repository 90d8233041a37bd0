"""The project list of a merged index: the lists of its sources, made one outside this process."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from cheesebox.cache.files import StoredFile
from cheesebox.cache.flights import Flights
from cheesebox.cache.lists import ListAnswer, Listing
from cheesebox.cache.merged import without_serial
from cheesebox.cache.sources import joint
from cheesebox.errors import NotFound, StoreError
from cheesebox.ports import Entry, Key, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.shelf import Shelf
    from cheesebox.ports import ListRenderer
    from cheesebox.simple.negotiation import Coding, Format

_ATTEMPTS = 3


class ListSource(Protocol):
    """A source that may have a list."""

    async def listing(self, *, refresh: bool = False) -> Listing:
        """Give its own list; raises `NotFound` or `UpstreamError`."""
        ...


class MergedLists:
    """The project list of one merged index."""

    def __init__(
        self, name: str, sources: Sequence[ListSource], shelf: Shelf, renderer: ListRenderer, tasks: Tasks
    ) -> None:
        self._name = name
        self.sources = tuple(sources)
        self._shelf = shelf
        self._renderer = renderer
        self._flights: Flights[Entry] = Flights(tasks)

    async def get(self, form: Format, coding: Coding, *, refresh: bool = False) -> ListAnswer:
        """Give the list, open on disk; raises `NotFound` when no source has one."""
        for _ in range(_ATTEMPTS):
            listings = await self._listings(refresh=refresh)
            answered = joint([listing.answered for listing in listings])
            answered = replace(answered, copy=without_serial(answered.copy))
            entry = await self._rendering(listings, form, coding)
            blob = await self._shelf.open(entry)
            if blob is not None:
                self._shelf.touch(entry.key)
                return ListAnswer(StoredFile(entry, blob, self._shelf), form.content_type, coding, answered)
        raise StoreError("the project list is removed as soon as it is stored")

    async def _listings(self, *, refresh: bool) -> list[Listing]:
        found = []
        for source in self.sources:
            try:
                found.append(await source.listing(refresh=refresh))
            except NotFound:
                continue  # an index without a list adds nothing to it
        if not found:
            raise NotFound(f"no source of {self._name} has a project list")
        return found

    async def _rendering(self, listings: Sequence[Listing], form: Format, coding: Coding) -> Entry:
        key = Key(f"{self._name}/simple.{form.name.lower()}.{coding.token}")
        made_of = hashlib.blake2b("\n".join(one.digest for one in listings).encode(), digest_size=20)
        origin = f"merged:{made_of.hexdigest()}"
        entry = self._shelf.entry(key)
        if entry is not None and entry.origin == origin:
            return entry
        flight = self._flights.join(
            f"{key} {origin}", lambda: self._render(listings, key, origin, form, coding)
        )
        return await asyncio.shield(flight)

    async def _render(
        self, listings: Sequence[Listing], key: Key, origin: str, form: Format, coding: Coding
    ) -> Entry:
        reservation = self._shelf.room.reserve()
        part = None
        with ExitStack() as handles:
            try:
                sources = []
                for listing in listings:
                    handle = await listing.open()
                    handles.callback(handle.close)
                    sources.append(handle.fileno())
                part = await self._shelf.blocking(self._shelf.store.begin, key)
                etag = await self._renderer.merge(sources, part.fileno(), form, coding)
                size = await self._shelf.blocking(part.measure)
                await reservation.extend(size)
                now = self._shelf.clock()
                entry = Entry(key, Kind.LIST, size, "", origin, etag=etag, fetched_at=now, last_used=now)
                await self._shelf.admit(part, entry, reservation)
            finally:
                reservation.release()
                if part is not None:
                    part.discard()
                    part.close()
        return entry
