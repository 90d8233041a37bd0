"""Stored objects and what is known of them, kept in step: store and catalogue behind one door.

Rules of this module:
1. An object is seen by lookups only after its bytes have their final name.
2. A file whose size is not the catalogued one is never given out: it is removed, and the caller
   fetches again.
3. A crash between any two steps leaves either nothing or something that `settle` puts right.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from cheesebox.cache import envelope
from cheesebox.cache.blocking import to_the_end
from cheesebox.cache.handles import Handles
from cheesebox.errors import StoreError
from cheesebox.ports import Entry, Key, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.eviction import Reservation, Room
    from cheesebox.cache.leftovers import Leftovers
    from cheesebox.ports import Blob, Catalogue, Clock, Part, Store

log = logging.getLogger(__name__)

FILES = frozenset({Kind.FILE, Kind.METADATA})


class Shelf:
    """Opens, admits and forgets stored objects."""

    def __init__(
        self, store: Store, catalogue: Catalogue, room: Room, blocking: Blocking, clock: Clock
    ) -> None:
        self.store = store
        self.catalogue = catalogue
        self.room = room
        self.blocking = blocking
        self.clock = clock
        self.leftovers: Leftovers | None = None
        """What a crash left of downloads, where that is kept."""
        self.note_use: Callable[[Key], None] | None = None
        """Who else wants to know what is in use."""
        self._handles = Handles(catalogue)
        room.after_eviction.append(self._handles.clear)  # an open file takes room although it has no name

    def close(self) -> None:
        """Close the handles that were kept."""
        self._handles.clear()

    def entry(self, key: Key) -> Entry | None:
        """Look an object up."""
        return self.catalogue.get(key)

    def touch(self, key: Key) -> None:
        """Count a use."""
        self.used(key, self.clock(), 1)

    def used(self, key: Key, now: float, uses: int) -> None:
        """Count uses that came before ``now``."""
        self.catalogue.touch(key, now, uses)
        if self.note_use is not None:
            self.note_use(key)

    async def open(self, entry: Entry) -> Blob | None:
        """Open an object, or remove what is left of it and give None."""
        kept = self._handles.find(entry)
        if kept is not None:
            return kept
        blob = await self.blocking(self.store.open, entry.key)
        if blob is not None and blob.size == entry.size:
            return self._handles.keep(entry, blob) if entry.kind in FILES else blob
        found = "gone" if blob is None else f"{blob.size} bytes"
        if blob is not None:
            blob.close()
        current = self.catalogue.get(entry.key)
        if current is not None and (current.size, current.fetched_at) != (entry.size, entry.fetched_at):
            return await self.open(current)  # replaced while it was being opened
        log.warning("refetch %s: %d bytes expected on disk, %s", entry.key, entry.size, found)
        await self.forget(entry.key)
        return None

    async def probe(self, key: Key) -> Entry | None:
        """Look an object up and make sure that its file is there with the right size."""
        entry = self.catalogue.get(key)
        if entry is None or (blob := await self.open(entry)) is None:
            return None
        blob.close()
        return entry

    async def read_page(self, key: Key) -> tuple[Entry, bytes] | None:
        """Read a page with its body; a damaged one is removed."""
        entry = self.catalogue.get(key)
        if entry is None or (blob := await self.open(entry)) is None:
            return None
        try:
            data = await self.blocking(blob.read, 0, blob.size)
        finally:
            blob.close()
        page = await self.blocking(envelope.unpack, data)
        current = self.catalogue.get(key)
        if current is None or current.digest != entry.digest:  # replaced or dropped while it was read
            return None if current is None else await self.read_page(key)
        if page is None or page[0].digest != entry.digest:
            log.warning("refetch %s: damaged on disk", key)
            await self.forget(key)
            return None
        # The catalogue knows of revalidations that came after the head line was written.
        return entry, page[1]

    async def write_page(self, entry: Entry, body: bytes) -> Entry:
        """Store a page. Gives the entry with its size on disk."""
        head = envelope.pack(entry)
        entry = replace(entry, size=len(head) + len(body))
        await self._write(entry, [head, body])
        return entry

    async def write_file(self, entry: Entry, body: bytes) -> None:
        """Store a small file that is in memory and has been verified."""
        await self._write(entry, [body])

    async def _write(self, entry: Entry, pieces: Sequence[bytes]) -> None:
        reservation = self.room.reserve()
        part: Part | None = None
        try:
            await reservation.extend(entry.size)
            part = await self.blocking(self.store.begin, entry.key)
            await to_the_end(self.blocking(part.append, pieces))
            await to_the_end(self.blocking(self._admit, part, entry))
        finally:
            if part is not None:
                await self.blocking(_discard, part)
            reservation.release()

    async def admit(self, part: Part, entry: Entry, reservation: Reservation) -> None:
        """Make a verified part the object under its key."""
        await to_the_end(self.blocking(self._admit, part, entry))
        reservation.release()

    def _admit(self, part: Part, entry: Entry) -> None:
        with self.room.names:
            self.catalogue.announce(entry)
            self.store.admit(part, entry.key)
            self.catalogue.confirm(entry.key)

    async def revalidated(self, entry: Entry) -> None:
        """Write down new facts of a stored page."""
        await self.blocking(self.catalogue.revalidated, entry)

    async def forget(self, key: Key) -> None:
        """Remove an object."""
        await self.blocking(self._forget, key)

    def _forget(self, key: Key) -> None:
        self.room.remove([key])

    def settle(self) -> int:
        """Finish what a crash left half done; blocks. Gives the count of entries looked at.

        An announced page or file whose bytes are all there is kept; anything else goes. The digest
        decides for pages; for files the size and the rename, which came after verification.
        """
        announced = self.catalogue.announced()
        for entry in announced:
            if self._is_whole(entry):
                self.catalogue.confirm(entry.key)
            else:
                self._forget(entry.key)
        doomed = self.catalogue.doomed()
        for entry in doomed:
            self._forget(entry.key)
        return len(announced) + len(doomed)

    def _is_whole(self, entry: Entry) -> bool:
        try:
            blob = self.store.open(entry.key)
        except StoreError:
            return False
        if blob is None:
            return False
        try:
            if entry.kind in FILES:
                return blob.size == entry.size
            page = envelope.unpack(blob.read(0, blob.size))
            return page is not None and page[0].digest == entry.digest
        finally:
            blob.close()


def _discard(part: Part) -> None:
    part.discard()
    part.close()
