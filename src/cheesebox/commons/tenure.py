"""A lease that this node has, renewed until it is given back.

Rules of this module:
1. A tenure ends once: with a record, with an absence, or with neither.
2. A lease that cannot be renewed is not mourned: what is published under it is refused by the register if
   somebody else's turn has come, and is as good as ever if not.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from cheesebox.engines import Record
from cheesebox.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cheesebox.commons.commons import Commons
    from cheesebox.engines import Granted, ObjectName
    from cheesebox.ports import Entry

log = logging.getLogger(__name__)

_RENEWALS = 3
"""How often a lease is renewed within its time."""


class Tenure:
    """Holds a lease."""

    def __init__(self, granted: Granted, commons: Commons) -> None:
        self.lease = granted.lease
        self.record = granted.record
        """What was known when the lease was given, and still stands."""
        self._commons = commons
        self._renewing: asyncio.Task[None] | None = commons.tasks.start(
            self._renew(), f"renew the lease of {self.lease.key}"
        )

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self.lease.seconds / _RENEWALS)
            try:
                with self._commons.register_health.watching():
                    held = await self._commons.register.renew(self.lease)
            except EngineError:
                continue
            if not held:
                log.warning("%s: its lease was lost", self.lease.key)
                return

    def let_go(self, record: Record) -> None:
        """Hear that an object is gone or damaged: it is not to be published again."""
        if self.record == record:
            self.record = None

    async def publish(self, entry: Entry, name: ObjectName) -> bool:
        """Tell all nodes where the body lies; False when that came too late or the register is away."""
        if not self._end():
            return False
        try:
            with self._commons.register_health.watching():
                is_taken = await self._commons.register.publish(self.lease, Record(entry, name))
        except EngineError:
            self._commons.ended(self)
            return False
        self._commons.ended(self)
        self._commons.count("published" if is_taken else "refused")
        return is_taken

    async def publish_absence(self, seconds: float) -> None:
        """Tell all nodes that there is no such object."""
        if self._end():
            await self._try(lambda: self._commons.register.publish_absence(self.lease, seconds))

    def give_back(self) -> None:
        """End without a result; idempotent."""
        if self._end():
            self._commons.later(self.release(), f"release the lease of {self.lease.key}")

    async def release(self) -> None:
        """Let others have their turn at once."""
        await self._try(lambda: self._commons.register.release(self.lease))

    def _end(self) -> bool:
        if self._renewing is None:
            return False
        self._renewing.cancel()
        self._renewing = None
        return True

    async def _try(self, call: Callable[[], Awaitable[None]]) -> None:
        try:
            with self._commons.register_health.watching():
                await call()
        except EngineError:
            log.info("%s: its lease ends by itself", self.lease.key)
        self._commons.ended(self)
