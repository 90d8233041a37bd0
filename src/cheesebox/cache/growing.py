"""The body of a download under way, which any number of readers follow.

Rules of this module:
1. Readers see only bytes that are on disk, so each reads at its own pace from the page cache.
2. The last `WITHHELD` bytes are shown only after verification: nobody ever holds the whole of a body
   that failed it.
3. Waiting is by event: `advance`, `finish` and `fail` wake all who wait, nothing polls.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from cheesebox.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cheesebox.cache.blocking import Blocking
    from cheesebox.errors import CheeseboxError
    from cheesebox.ports import Part

WITHHELD = 64 * 1024
_SLICE = 256 * 1024


class GrowingBody:
    """Bytes ``0`` to ``written`` of a part; ``total`` is None while the length is not known."""

    def __init__(self, part: Part, blocking: Blocking) -> None:
        self.part = part
        self.total: int | None = None
        self.written = 0
        self.is_verified = False
        self.error: CheeseboxError | None = None
        self._blocking = blocking
        self._read_from = asyncio.Event()
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def readable(self) -> int:
        """How many bytes readers may see now."""
        if self.is_verified:
            return self.written
        return max(0, min(self.written, (self.total or self.written) - WITHHELD))

    @property
    def is_over(self) -> bool:
        """Tell whether no more bytes come: it is whole, or it failed."""
        return self.is_verified or self.error is not None

    async def wait_for_reader(self, patience: float) -> None:
        """Wait until somebody has read, for at most ``patience`` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._read_from.wait()

    def advance(self, written: int) -> None:
        """Tell that this many bytes are on disk."""
        self.written = written
        self._wake()

    def verified(self) -> None:
        """Show all: the digest is right."""
        self.is_verified = True
        self.total = self.written
        self._wake()

    def fail(self, error: CheeseboxError) -> None:
        """Let every reader fail from where it is."""
        self.error = error
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait_beyond(self, position: int) -> int:
        """Wait until bytes after ``position`` can be read or the body is whole; gives `readable`.

        Raises the download's error.
        """
        while self.readable <= position and not self.is_verified:
            await self._wait()
        return self.readable

    async def wait_whole(self) -> None:
        """Wait until the body is whole and verified. Raises the download's error."""
        while not self.is_verified:
            await self._wait()

    async def _wait(self) -> None:
        if self.error is not None:
            raise self.error
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    async def read(self, start: int, stop: int | None) -> AsyncGenerator[bytes]:
        """Give the bytes from ``start`` up to ``stop`` (None: to the end) as they come.

        The caller is attached to the download, which keeps the file handle open.
        """
        position = start
        while stop is None or position < stop:
            limit = await self.wait_beyond(position)
            if stop is not None:
                limit = min(limit, stop)
            if limit <= position:
                return
            length = min(_SLICE, limit - position)
            chunk = self.part.read_cached(position, length)
            if chunk is None:
                chunk = await self._blocking(self.part.read, position, length)
            if not chunk:
                raise StoreError("a part became shorter while it was read")
            position += len(chunk)
            yield chunk
            self._read_from.set()
