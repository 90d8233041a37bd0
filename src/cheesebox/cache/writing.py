"""Writes and hashes what arrives, in batches, off the event loop.

One batch is in a thread while the next one gathers: a trickle is written piece by piece, a flood in
large writes, and no more than one full batch ever waits in memory.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from cheesebox.cache.blocking import to_the_end
from cheesebox.errors import StoreError

if TYPE_CHECKING:
    import asyncio

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.digests import Hasher
    from cheesebox.cache.eviction import Reservation
    from cheesebox.cache.growing import GrowingBody
    from cheesebox.ports import Part

BATCH = 1024 * 1024


class BatchWriter:
    """Appends to a part, hashes, and tells the growing body how far it has come.

    ``size`` counts the bytes taken so far, written or not.
    """

    def __init__(
        self, part: Part, body: GrowingBody, reservation: Reservation, hasher: Hasher, blocking: Blocking
    ) -> None:
        self.hasher = hasher
        self.size = 0
        self._part = part
        self._body = body
        self._reservation = reservation
        self._blocking = blocking
        self._batch: list[bytes] = []
        self._gathered = 0
        self._writing: asyncio.Future[None] | None = None

    async def push(self, chunk: bytes) -> None:
        """Take a chunk; waits only when the disk is a whole batch behind."""
        self._batch.append(chunk)
        self._gathered += len(chunk)
        self.size += len(chunk)
        if self._writing is not None and (self._writing.done() or self._gathered >= BATCH):
            await self._settle()
        if self._writing is None:
            await self._start()

    async def drain(self) -> None:
        """Wait until all that was taken is on disk; raises `StoreError` if it is not."""
        await self._settle()
        if self._batch:
            await self._start()
            await self._settle()

    async def abandon(self) -> None:
        """Wait for the write under way, whatever comes of it: nobody writes to the part afterwards."""
        with suppress(StoreError):
            await self._settle()

    async def _start(self) -> None:
        await self._reservation.extend(self.size)
        batch, self._batch, self._gathered = self._batch, [], 0
        self._writing = self._blocking(self._write, batch)
        self._writing.add_done_callback(self._advance)

    def _write(self, batch: list[bytes]) -> None:
        self._part.append(batch)
        for chunk in batch:
            self.hasher.update(chunk)

    def _advance(self, done: asyncio.Future[None]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._reservation.wrote(self._part.size)
            self._body.advance(self._part.size)

    async def _settle(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await to_the_end(writing)
