"""The bytes of an open file, piece by piece, without waiting for the disk where the page cache has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cheesebox.cache.blocking import Blocking
    from cheesebox.ports import Blob

_READ = 256 * 1024
_VIEW = 1024 * 1024


async def pieces(blob: Blob, blocking: Blocking, start: int, stop: int | None) -> AsyncGenerator[bytes]:
    """Give the bytes ``start`` up to ``stop`` (None: to the end); raises `StoreError` if there are less."""
    end = blob.size if stop is None else stop
    while start < end:
        length = min(_READ, end - start)
        chunk = blob.read_cached(start, length)
        if chunk is None:
            chunk = await blocking(blob.read, start, length)
        if not chunk:
            raise StoreError("a file became shorter while it was read")
        start += len(chunk)
        yield chunk


async def views(
    blob: Blob, blocking: Blocking, start: int, stop: int | None
) -> AsyncGenerator[bytes | memoryview]:
    """Give the same bytes as views of the page cache, where they are in it: for system calls only."""
    end = blob.size if stop is None else stop
    while start < end:
        length = min(_VIEW, end - start)
        chunk: bytes | memoryview | None = blob.view_cached(start, length)
        if chunk is None:
            chunk = await blocking(blob.read, start, length)
        if not chunk:
            raise StoreError("a file became shorter while it was read")
        start += len(chunk)
        yield chunk
