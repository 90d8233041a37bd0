"""The body of a download under way, which any number of readers follow.

Rules of this module:
1. Readers see only bytes that are on disk, so each reads at its own pace from the page cache. Who keeps
   up is given the last pieces as they came: neither read nor copied once more.
2. The last `WITHHELD` bytes are shown only after verification: nobody ever holds the whole of a body
   that failed it.
3. Waiting is by event: `advance`, `finish` and `fail` wake all who wait, nothing polls.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from cheesebox.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from cheesebox.cache.blocking import Blocking
    from cheesebox.errors import CheeseboxError
    from cheesebox.ports import Part

WITHHELD = 64 * 1024
_SLICE = 256 * 1024
_HELD = 2 * 1024 * 1024


class GrowingBody:
    """Bytes ``0`` to ``written`` of a part; ``total`` is None while the length is not known."""

    def __init__(self, part: Part, blocking: Blocking) -> None:
        self.part = part
        self.total: int | None = None
        self.written = 0
        self.is_verified = False
        self.error: CheeseboxError | None = None
        self._blocking = blocking
        self._held: deque[tuple[int, bytes]] = deque()
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

    def advance(self, written: int, last: Sequence[bytes] = ()) -> None:
        """Tell that this many bytes are on disk; ``last`` are the pieces that they end with."""
        self._hold(written, last if self._waiters else ())
        self.written = written
        self._wake()

    def _hold(self, written: int, pieces: Sequence[bytes]) -> None:
        start = written - sum(map(len, pieces))
        for piece in pieces:
            self._held.append((start, piece))
            start += len(piece)
        while self._held and written - self._held[0][0] > _HELD:
            self._held.popleft()

    def verified(self) -> None:
        """Show all: the digest is right."""
        self.is_verified = True
        self.total = self.written
        self._held.clear()
        self._wake()

    def fail(self, error: CheeseboxError) -> None:
        """Let every reader fail from where it is."""
        self.error = error
        self._held.clear()
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
            chunk = self._piece_at(position, limit) or await self._slice_at(position, limit)
            position += len(chunk)
            yield chunk
            self._read_from.set()

    def _piece_at(self, position: int, limit: int) -> bytes | None:
        """Give what begins here of the last pieces, if one of them has it."""
        for start, piece in self._held:
            if start <= position < start + len(piece):
                return piece[position - start : limit - start]
        return None

    async def _slice_at(self, position: int, limit: int) -> bytes:
        length = min(_SLICE, limit - position)
        chunk = self.part.read_cached(position, length)
        if chunk is None:
            chunk = await self._blocking(self.part.read, position, length)
        if not chunk:
            raise StoreError("a part became shorter while it was read")
        return chunk
