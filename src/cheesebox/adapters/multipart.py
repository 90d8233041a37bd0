"""A body that a thread sends in parts while it is still coming.

A blocking client pulls the body through a file-like object. The thread is one that the interpreter waits
for: when the program ends with the body half sent, the pull fails, and the client aborts what it began.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

_QUEUED = 1024 * 1024
_LOOKS_UP = 0.5
"""Seconds after which a thread that waits for bytes looks whether the program is ending."""


class _Mark(Enum):
    END = "the body is complete"
    LEFT = "the body was left"


class Left(OSError):
    """The body will not be completed."""


class Incoming:
    """What the client reads from, on its thread; bytes come by `give`."""

    def __init__(self, taken: Callable[[int], None]) -> None:
        """``taken`` is told how many bytes were read, on the thread that reads."""
        self._pieces: queue.SimpleQueue[bytes | _Mark] = queue.SimpleQueue()
        self._rest = memoryview(b"")
        self._mark: _Mark | None = None
        self._taken = taken

    def give(self, piece: bytes | _Mark) -> None:
        """Add bytes, or tell that there are no more."""
        self._pieces.put(piece)

    def read(self, size: int = -1) -> bytes:
        """Give what there is, at most so many bytes; nothing at the end. Raises `Left`."""
        while not self._rest and self._mark is None:
            self._next()
        if self._mark is _Mark.LEFT:
            raise Left(_Mark.LEFT.value)
        data = bytes(self._rest[: size if size >= 0 else None])
        self._rest = self._rest[len(data) :]
        self._taken(len(data))
        return data

    def _next(self) -> None:
        try:
            piece = self._pieces.get(timeout=_LOOKS_UP)
        except queue.Empty:
            if not threading.main_thread().is_alive():
                self._mark = _Mark.LEFT
            return
        if isinstance(piece, _Mark):
            self._mark = piece
        else:
            self._rest = memoryview(piece)

    def seek(self, _offset: int, _whence: int = 0) -> int:
        """Refuse; the client asks for the method, and never calls it when it sends parts."""
        raise OSError("a body that is still coming has no other place to go to")


class MultipartUpload:
    """A body under way. All methods belong to the event loop that made it."""

    def __init__(self, send: Callable[[Incoming], object], ended: Callable[[], None]) -> None:
        """``send`` blocks until all is read and sent; ``ended`` is called on the loop after that."""
        self._loop = asyncio.get_running_loop()
        self._incoming = Incoming(self._taken)
        self._queued = 0
        self._moved = asyncio.Event()
        self._error: BaseException | None = None
        self._is_over = False
        self._ended = ended
        threading.Thread(target=self._run, args=(send,), name="object-upload").start()

    async def write(self, data: bytes) -> None:
        """Take the next bytes; waits while too many are queued. Raises what the client raised."""
        self._give(data)
        while self._queued > _QUEUED and not self._is_over:
            await self._wait()
        if self._is_over:
            raise self._error or Left(_Mark.END.value)

    async def finish(self) -> None:
        """Wait until all is sent; raises what the client raised."""
        self._give(_Mark.END)
        await self._wait_until_over()
        if self._error:
            raise self._error

    async def leave(self) -> None:
        """Have the client abort, unless all is over, and wait until it has."""
        self._give(_Mark.LEFT)
        await self._wait_until_over()

    def _give(self, piece: bytes | Literal[_Mark.END, _Mark.LEFT]) -> None:
        if not isinstance(piece, _Mark):
            self._queued += len(piece)
        self._incoming.give(piece)

    async def _wait_until_over(self) -> None:
        while not self._is_over:
            await self._wait()

    async def _wait(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _run(self, send: Callable[[Incoming], object]) -> None:
        error: BaseException | None = None
        try:
            send(self._incoming)
        except BaseException as raised:  # noqa: BLE001 - it is raised where the body comes from
            error = raised
        self._tell(lambda: self._settle(error))

    def _taken(self, size: int) -> None:
        self._tell(lambda: self._note_taken(size))

    def _tell(self, what: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(what)

    def _note_taken(self, size: int) -> None:
        self._queued -= size
        self._moved.set()

    def _settle(self, error: BaseException | None) -> None:
        self._error = error
        self._is_over = True
        self._moved.set()
        self._ended()
