"""Keeps the shared store within its limit: one node at a time evicts, sweeps, and takes over what was lost.

Rules of this module:
1. Records go first and objects later, when nobody can be reading them any more: the register hands out
   names of objects only after a grace period.
2. The longest unused go first; each costs the same, however many there are.
3. Objects that no record names come from nodes that died between upload and publication, or from a
   register that lost its data. Once that has happened, and once a day, the storage is walked: files are
   taken over, since their names tell what they are; all else that is not new goes.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from cheesebox.cache import digests
from cheesebox.cache.eviction import Limits, Usage, excess
from cheesebox.commons.names import read_name
from cheesebox.engines import Record
from cheesebox.errors import EngineError
from cheesebox.ports import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cheesebox.commons.commons import Commons
    from cheesebox.commons.names import Named
    from cheesebox.engines import StoredObject
    from cheesebox.ports import Clock, Totals

log = logging.getLogger(__name__)

_ROLE = "keeping"
_EVERY = 10.0
_TERM = 30.0
_BATCH = 100
_WALK = "walked at"
_WALK_EVERY = 86400.0
_NEW = 3600.0
"""Seconds for which an object may lie in the storage before there is a record of it."""


@dataclass(frozen=True, slots=True)
class KeepingStatistics:
    """What was done by this node since the start."""

    evicted: int
    evicted_bytes: int
    swept: int
    adopted: int
    orphans: int
    is_leading: bool
    totals: Totals | None
    """What the shared store holds, as it was last seen; None where another node keeps it."""


class Keeping:
    """``limits``: ``max_size`` bytes in all (0: no limit), ``inactive`` seconds; ``node`` names this one."""

    def __init__(
        self, commons: Commons, limits: Limits, node: str, clock: Clock, *, every: float = _EVERY
    ) -> None:
        self._commons = commons
        self._limits = limits
        self._node = node
        self._clock = clock
        self._every = every
        self._counts = {"evicted": 0, "evicted_bytes": 0, "swept": 0, "adopted": 0, "orphans": 0}
        self._is_leading = False
        self._totals: Totals | None = None

    async def run(self) -> None:
        """Go on for ever; what an engine refuses is tried again."""
        while True:
            try:
                await self.work()
            except EngineError as error:
                self._is_leading = False
                log.info("the shared store is not kept by this node now: %s", error)
            await asyncio.sleep(self._every)

    async def work(self) -> None:
        """Do what is to be done, if it is this node that does it; raises `EngineError`."""
        if not await self._lead():
            return
        await self._evict()
        await self._sweep()
        if await self._is_walk_due():
            await self._walk()

    async def _lead(self) -> bool:
        with self._commons.register_health.watching():
            self._is_leading = await self._commons.register.lead(_ROLE, self._node, _TERM)
        return self._is_leading

    async def _evict(self) -> None:
        """Make the sum fit, then let go of what nobody has used for long."""
        while (count := await self._surplus()) and await self._evict_some(count):
            if not await self._lead():
                return
        while await self._evict_some(_BATCH, self._limits.inactive):
            if not await self._lead():
                return

    async def _surplus(self) -> int:
        """Give how many records have to go, about; a few at a time, so that no more go than have to."""
        with self._commons.register_health.watching():
            self._totals = totals = await self._commons.register.totals()
        if not self._limits.max_size:
            return 0
        usage = Usage(totals.size, totals.entries, 0, 0, free=self._limits.max_size)
        surplus = excess(self._limits, usage, 0, 0).size
        return min(_BATCH, ceil(surplus * totals.entries / max(1, totals.size)))

    async def _evict_some(self, count: int, unused_for: float = 0.0) -> bool:
        with self._commons.register_health.watching():
            records = await self._commons.register.evict(count, unused_for)
        self._counts["evicted"] += len(records)
        self._counts["evicted_bytes"] += sum(record.entry.size for record in records)
        return bool(records)

    async def _sweep(self) -> None:
        while True:
            with self._commons.register_health.watching():
                names = await self._commons.register.garbage(_BATCH)
            if not names:
                return
            await self._commons.remove(names)
            with self._commons.register_health.watching():
                await self._commons.register.swept(names)
            self._counts["swept"] += len(names)
            await self._lead()

    # ── walking the storage ─────────────────────────────────────────────────────────────────────

    async def _is_walk_due(self) -> bool:
        with self._commons.register_health.watching():
            walked = await self._commons.register.fact(_WALK)
        return walked is None or self._clock() - float(walked) >= _WALK_EVERY

    async def _walk(self) -> None:
        log.info("walking the shared storage for objects that no record names")
        async for batch in self._batches():
            orphans = [found for found in batch if await self._is_orphan(found)]
            if orphans:
                await self._commons.remove([found.name for found in orphans])
                self._counts["orphans"] += len(orphans)
            if not await self._lead():
                return
        with self._commons.register_health.watching():
            await self._commons.register.remember(_WALK, str(self._clock()))

    async def _batches(self) -> AsyncIterator[list[StoredObject]]:
        batch: list[StoredObject] = []
        async for found in self._commons.objects.walk():
            batch.append(found)
            if len(batch) == _BATCH:
                yield batch
                batch = []
        yield batch

    async def _is_orphan(self, found: StoredObject) -> bool:
        """Tell whether an object may go; what has no record and is a file is taken over instead."""
        named = read_name(found.name)
        if named is None:
            return False  # not ours: the prefix may be shared with others
        with self._commons.register_health.watching():
            record = await self._commons.register.find(named.key)
        if record is not None:
            return record.name != found.name and self._is_old(found)
        if digests.is_of_file(named.digest):
            await self._adopt(found, named)
            return False
        return self._is_old(found)

    async def _adopt(self, found: StoredObject, named: Named) -> None:
        kind = Kind.METADATA if named.key.endswith(".metadata") else Kind.FILE
        entry = Entry(
            named.key,
            kind,
            found.size,
            named.digest,
            "",
            etag=f'"{digests.hex_of(named.digest)}"',
            fetched_at=found.stored_at,
            validated_at=found.stored_at,
        )
        with self._commons.register_health.watching():
            if await self._commons.register.adopt(Record(entry, found.name)):
                self._counts["adopted"] += 1

    def _is_old(self, found: StoredObject) -> bool:
        return self._clock() - found.stored_at > _NEW

    def statistics(self) -> KeepingStatistics:
        """Tell what this node has done for the shared store."""
        totals = self._totals if self._is_leading else None
        return KeepingStatistics(**self._counts, is_leading=self._is_leading, totals=totals)
