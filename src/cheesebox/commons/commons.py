"""What this node has in common with others: register and object storage, each with its health.

Everything here gives up rather than fails: where an engine is away, a node goes on by itself, and what
it would have told the others they find out for themselves.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.commons.health import Health
from cheesebox.commons.news import News
from cheesebox.commons.tenure import Tenure
from cheesebox.engines import Taken
from cheesebox.errors import EngineError, ObjectMissing, ShuttingDown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Coroutine

    from cheesebox.cache.flights import Tasks
    from cheesebox.commons.health import HealthStatistics
    from cheesebox.engines import Claim, Granted, ObjectName, Objects, Record, Register, Upload
    from cheesebox.ports import Key

log = logging.getLogger(__name__)

PATIENCE = 12.0
"""Seconds to wait for another node: a little longer than the lease of a dead one lasts."""

_LOOK_AGAIN = 1.0
"""Seconds after which who waits looks again without news: the end of a dead node's lease is no news."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was done together with other nodes since the start."""

    brought: int = 0
    """Bodies taken from the storage."""
    led: int = 0
    """Fetches that this node did for all."""
    followed: int = 0
    """Downloads that came from a node that was fetching."""
    alone: int = 0
    """Fetches that this node did for itself, because an engine or another node failed."""
    published: int = 0
    refused: int = 0
    """Publications that came too late."""


@dataclass(frozen=True, slots=True)
class CommonsStatistics:
    """How the engines fare, and what was done."""

    register: HealthStatistics
    storage: HealthStatistics
    counts: Counts


class Commons:
    """The engines as the use cases of one node see them. ``timer`` gives seconds."""

    def __init__(
        self,
        register: Register,
        objects: Objects,
        tasks: Tasks,
        timer: Callable[[], float],
        *,
        look_again: float = _LOOK_AGAIN,
    ) -> None:
        self.register = register
        self.objects = objects
        self.tasks = tasks
        self.news = News()
        self.register_health = Health("the register", timer)
        self.storage_health = Health("the object storage", timer)
        self._timer = timer
        self._look_again = look_again
        self._counts: dict[str, int] = {}
        self._held: set[Tenure] = set()

    def count(self, what: str) -> None:
        """Count one of the `Counts`."""
        self._counts[what] = self._counts.get(what, 0) + 1

    async def turn(
        self, key: Key, max_age: float | None, patience: float, *, through_storage: bool = True
    ) -> Claim | None:
        """Wait until something can be done about a key, for at most ``patience`` seconds.

        Gives `Taken` when another node still has the lease then, and None when the engines are away:
        then this node is by itself. ``through_storage``: what is fetched reaches other nodes by no other
        way, so that turns are of no use without it.
        """
        until = self._timer() + patience
        with self.news.expecting(key) as expectation:
            while True:
                if through_storage and self.storage_health.is_resting:
                    return None
                claim = await self._claim(key, max_age)
                left = until - self._timer()
                if not isinstance(claim, Taken) or left <= 0:
                    return claim
                await expectation.wait(min(left, self._look_again))

    async def _claim(self, key: Key, max_age: float | None) -> Claim | None:
        try:
            with self.register_health.watching():
                return await self.register.claim(key, max_age)
        except EngineError:
            return None

    def hold(self, granted: Granted) -> Tenure:
        """Keep a lease until it is given back."""
        self.count("led")
        tenure = Tenure(granted, self)
        self._held.add(tenure)
        return tenure

    def ended(self, tenure: Tenure) -> None:
        """Hear that the register knows of the end of a tenure, or cannot be told."""
        self._held.discard(tenure)

    def later(self, work: Coroutine[object, object, object], name: str) -> None:
        """Do something behind the answer; not at all when this node stops."""
        with suppress(ShuttingDown):
            self.tasks.start(work, name)

    async def close(self) -> None:
        """Let others have what this node was fetching, and let go of the engines.

        The tasks have ended before, some of them without having begun: what they held is held still.
        """
        await asyncio.gather(*(tenure.release() for tenure in list(self._held)))
        await self.register.close()
        await self.objects.close()

    async def find(self, key: Key) -> Record | None:
        """Look a body up; None also when nobody can tell."""
        if self.storage_health.is_resting:
            return None
        try:
            with self.register_health.watching():
                return await self.register.find(key)
        except EngineError:
            return None

    async def read(self, record: Record, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Give the bytes of a body; raises `EngineError`. Whose object is gone is disowned."""
        try:
            with self.storage_health.watching():
                async for piece in self.objects.read(record.name, start, stop):
                    self.storage_health.succeeded()
                    yield piece
        except ObjectMissing:
            await self.disown(record)
            raise

    async def disown(self, record: Record) -> None:
        """Drop a record whose object is gone or is not what it should be."""
        log.warning("%s: the shared object is gone or damaged; it is fetched anew", record.entry.key)
        for tenure in self._held:
            tenure.let_go(record)
        try:
            with self.register_health.watching():
                await self.register.disown(record)
        except EngineError:
            log.warning("%s: its record stands until the register is back", record.entry.key)

    async def put(self, name: ObjectName, body: bytes) -> None:
        """Store a body that is in memory; raises `EngineError`."""
        with self.storage_health.watching():
            await self.objects.put(name, body)

    async def remove(self, names: Collection[ObjectName]) -> None:
        """Remove objects; raises `EngineError`."""
        with self.storage_health.watching():
            await self.objects.remove(names)

    @asynccontextmanager
    async def uploading(self, name: ObjectName) -> AsyncIterator[Upload]:
        """Store a body piece by piece; raises `EngineError`."""
        with self.storage_health.watching():
            async with self.objects.upload(name) as upload:
                yield upload

    def statistics(self) -> CommonsStatistics:
        """Tell how the engines fare, and what was done."""
        return CommonsStatistics(
            self.register_health.statistics(), self.storage_health.statistics(), Counts(**self._counts)
        )
