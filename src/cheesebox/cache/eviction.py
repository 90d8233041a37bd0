"""Keeps the cache within its limits: makes room before bytes are written, removes what is unused.

Rules of this module:
1. What is stored and what is being written never exceed ``max_size`` together: room is reserved
   first, bytes are written afterwards.
2. The least recently used go first; each admission pays for the few that it displaces, never for a
   look at all entries.
3. A body is doomed in the catalogue, then removed, then forgotten; a start after a crash finishes
   what was doomed.
4. One eviction at a time: those who need room wait for their turn.
5. A name changes hands under one lock: of an admission and a removal of the same key one comes after
   the other, so that no file loses its entry.
6. Nothing is evicted for bytes that would not fit even into an empty cache.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.cache.blocking import to_the_end
from cheesebox.cache.changes import Changes
from cheesebox.errors import StoreFull

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cheesebox.cache.blocking import Blocking
    from cheesebox.ports import Catalogue, Clock, Entry, Key, Store

log = logging.getLogger(__name__)

_BATCH = 64
_SWEEP_BATCH = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the cache: bytes, a count (0: none), bytes to leave on the disk, seconds."""

    max_size: int
    max_entries: int = 0
    min_free: int = 0
    inactive: float = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What is used now, in bytes; ``reserved`` is in flight, ``written`` is what of it is on disk."""

    stored: int
    entries: int
    reserved: int
    reserved_entries: int
    free: int
    written: int = 0


@dataclass(frozen=True, slots=True)
class Excess:
    """How much has to go before the wanted bytes fit."""

    size: int
    entries: int

    def __bool__(self) -> bool:
        return self.size > 0 or self.entries > 0


def excess(limits: Limits, usage: Usage, wanted: int, wanted_entries: int = 1) -> Excess:
    """Compute what must be evicted so that ``wanted`` more bytes fit.

    Free space is short by what other flights have reserved but not yet written, too.
    """
    over_size = usage.stored + usage.reserved + wanted - limits.max_size
    over_disk = limits.min_free + wanted + (usage.reserved - usage.written) - usage.free
    over_entries = 0
    if limits.max_entries:
        over_entries = usage.entries + usage.reserved_entries + wanted_entries - limits.max_entries
    return Excess(max(0, over_size, over_disk), max(0, over_entries))


def choose(candidates: Sequence[Entry], need: Excess) -> list[Entry]:
    """Take victims from the front (least recently used first) until the excess is gone."""
    victims: list[Entry] = []
    freed = 0
    for entry in candidates:
        if freed >= need.size and len(victims) >= need.entries:
            break
        victims.append(entry)
        freed += entry.size
    return victims


@dataclass(frozen=True, slots=True)
class RoomStatistics:
    """What the room has counted since the start."""

    reserved: int
    evicted_entries: int
    evicted_bytes: int


class Reservation:
    """Bytes promised to one growing part. Idempotent `release`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.size = 0
        self.written = 0
        room.open_reservations.add(self)

    async def extend(self, size: int) -> None:
        """Promise up to ``size`` bytes in all; raises `StoreFull`."""
        if size > self.size:
            await self._room.make_room(self, size - self.size)

    def wrote(self, size: int) -> None:
        """Note how much is on disk already."""
        self.written = size

    def release(self) -> None:
        """Give the promise back: the part is admitted (and counted as stored) or gone."""
        self._room.open_reservations.discard(self)


class Room:
    """Reserves and evicts."""

    def __init__(
        self, limits: Limits, store: Store, catalogue: Catalogue, blocking: Blocking, clock: Clock
    ) -> None:
        self.limits = limits
        self._store = store
        self._catalogue = catalogue
        self._blocking = blocking
        self._clock = clock
        self._turn = asyncio.Lock()
        self.changes = Changes()
        self.names = threading.Lock()
        self.after_eviction: list[Callable[[], None]] = []
        """Called on the event loop: whoever keeps evicted files open must let go of them now."""
        self.open_reservations: set[Reservation] = set()
        self._evicted_entries = 0
        self._evicted_bytes = 0

    def reserve(self) -> Reservation:
        """Open a reservation of no bytes."""
        return Reservation(self)

    async def make_room(self, reservation: Reservation, wanted: int) -> None:
        """Evict until ``wanted`` more bytes fit and promise them; raises `StoreFull` if they can't."""
        async with self._turn:
            while need := await self._blocking(self._excess, reservation, wanted):
                if not await self._evict_some(need):
                    raise StoreFull(f"no room for {wanted} bytes: nothing is left to evict")
            reservation.size += wanted

    def _excess(self, reservation: Reservation, wanted: int) -> Excess:
        usage = self._usage(reservation)
        need = excess(self.limits, usage, wanted)
        if need.size > usage.stored or need.entries > usage.entries:  # rule 6
            raise StoreFull(f"no room for {wanted} bytes within max_size, max_entries and min_free")
        return need

    def _usage(self, reservation: Reservation | None = None) -> Usage:
        # What is admitted meanwhile counts twice for a moment: better than not at all.
        reservations = self.open_reservations.copy()
        totals = self._catalogue.totals()
        return Usage(
            stored=totals.size,
            entries=totals.entries,
            reserved=sum(r.size for r in reservations),
            reserved_entries=sum(r is not reservation for r in reservations),
            free=self._store.free_space(),
            written=sum(r.written for r in reservations),
        )

    async def _evict_some(self, need: Excess) -> bool:
        candidates = await self._blocking(self._catalogue.oldest, _BATCH)
        victims = choose(candidates, need)
        await self._remove(victims)
        if victims:
            log.info("evicted %d least recently used, first %s", len(victims), victims[0].key)
        return bool(victims)

    async def _remove(self, victims: Sequence[Entry]) -> None:
        await to_the_end(self._blocking.heavily(self.remove, [entry.key for entry in victims]))
        for let_go in self.after_eviction:
            let_go()
        self._evicted_entries += len(victims)
        self._evicted_bytes += sum(entry.size for entry in victims)

    def remove(self, keys: Sequence[Key]) -> None:
        """Remove objects with their entries; blocks."""
        with self.names:
            self._catalogue.doom(keys)
            self.changes.tell(keys)
            for key in keys:
                self._store.remove(key)
            self._catalogue.forget(keys)

    async def sweep(self) -> int:
        """Remove what has been unused for longer than ``inactive``; gives the count.

        What exceeds the limits goes as well: they may be lower than at the last start, and a rebuilt
        catalogue takes back whatever lies on disk.
        """
        removed = await self._shrink()
        while True:
            async with self._turn:
                bound = self._clock() - self.limits.inactive
                idle = await self._blocking(self._catalogue.oldest, _SWEEP_BATCH, bound)
                await self._remove(idle)
            removed += len(idle)
            if len(idle) < _SWEEP_BATCH:
                return removed

    async def _shrink(self) -> int:
        before = self._evicted_entries
        async with self._turn:
            while need := await self._blocking(self._surplus):
                if not await self._evict_some(need):
                    break
            return self._evicted_entries - before

    def _surplus(self) -> Excess:
        usage = self._usage()
        need = excess(self.limits, usage, 0, 0)
        return need if need.size <= usage.stored and need.entries <= usage.entries else Excess(0, 0)

    def statistics(self) -> RoomStatistics:
        """Give what is reserved now and what was evicted since the start."""
        return RoomStatistics(
            sum(r.size for r in self.open_reservations), self._evicted_entries, self._evicted_bytes
        )
