"""Writes and hashes what arrives, in batches, off the event loop.

Rules of this module:
1. One batch is in a thread while the next one gathers: a trickle is written piece by piece, a flood
   in large writes, and no more than one full batch ever waits in memory.
2. The first piece is written at once, on the event loop: a client is waiting for its first byte, and
   one piece is too small to be felt by others.
3. A slice of a batch is hashed when it has been written, while the processor's cache still has it; after
   each slice other threads get their turn.
4. What has gathered is written as soon as the thread is free, not when more arrives: the upstream may
   pause, and readers want what is there.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.digests import Hasher
    from cheesebox.cache.eviction import Reservation
    from cheesebox.cache.growing import GrowingBody
    from cheesebox.ports import Part

BATCH = 1024 * 1024
_FIRST = 256 * 1024
SLICE = 128 * 1024
_COURTESY = 0.005


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
        self._error: BaseException | None = None

    def begin_at(self, size: int, hasher: Hasher) -> None:
        """Begin where somebody else, or nobody, has written ``size`` bytes, which the hasher has seen."""
        self.size, self.hasher = size, hasher

    async def push(self, chunk: bytes) -> None:
        """Take a chunk; waits only when the disk is a whole batch behind. Raises `StoreError`."""
        self.size += len(chunk)
        await self._reservation.extend(self.size)
        if self.size == len(chunk) <= _FIRST:
            await self._write_first(chunk)
            return
        self._batch.append(chunk)
        self._gathered += len(chunk)
        if self._writing is None:
            self._submit()
        while self._writing is not None and self._gathered >= BATCH:
            await asyncio.wait({self._writing})
        self._check()

    async def _write_first(self, chunk: bytes) -> None:
        self._write_slice([chunk])
        self._reservation.wrote(self._part.size)
        self._body.advance(self._part.size, [chunk])
        # The client's first byte first, then the flood of what has arrived meanwhile.
        await self._body.wait_for_reader(_COURTESY)

    async def drain(self) -> None:
        """Wait until all that was taken is on disk; raises `StoreError` if it is not."""
        while self._writing is not None:
            await asyncio.wait({self._writing})
        self._check()

    async def abandon(self) -> None:
        """Wait for the write under way, whatever comes of it: nobody writes to the part afterwards."""
        self._batch.clear()
        while self._writing is not None:
            await asyncio.wait({self._writing})

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _submit(self) -> None:
        batch, self._batch, self._gathered = self._batch, [], 0
        self._writing = self._blocking.heavily(self._write, batch)
        self._writing.add_done_callback(partial(self._written, batch))

    def _write(self, batch: list[bytes]) -> None:
        for chunks in slices(batch):
            self._write_slice(chunks)
            self._blocking.breathe()

    def _write_slice(self, chunks: list[bytes]) -> None:
        self._part.append(chunks)
        for chunk in chunks:
            self.hasher.update(chunk)

    def _written(self, batch: list[bytes], done: asyncio.Future[None]) -> None:
        self._writing = None
        if done.cancelled():
            return
        self._error = done.exception()
        if self._error is not None:
            return
        self._reservation.wrote(self._part.size)
        self._body.advance(self._part.size, batch)
        if self._batch:
            self._submit()


def slices(batch: list[bytes]) -> Iterator[list[bytes]]:
    """Part a batch into runs of chunks, each as long as a slice or little more."""
    chunks: list[bytes] = []
    size = 0
    for chunk in batch:
        chunks.append(chunk)
        size += len(chunk)
        if size >= SLICE:
            yield chunks
            chunks, size = [], 0
    if chunks:
        yield chunks
