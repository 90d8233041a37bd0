"""Connections between a worker and the keeper: frames, and open files that go along with them.

A worker makes a pair of sockets and hands one end in at the doorbell, which the supervisor made once
for all: there is no address that anybody else could find, and what is handed in while no keeper is
there waits for the next one.

Rules of this module:
1. A frame is four bytes of length and the bytes. The keeper's first frame is empty: it says that there
   is one. A frame that a file goes along with is sent whole before the next.
2. Waiting is cancelled without a loss: what has been read stays for the next who reads.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from cheesebox.errors import LinkLost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_LENGTH = struct.Struct("!I")
_READ = 256 * 1024
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Link:
    """One end of a connection. One reads and one writes at a time."""

    def __init__(self, sock: socket.socket) -> None:
        """Take the socket over."""
        sock.setblocking(False)
        self._socket = sock
        self._signals = _Signals(sock)
        self._read = bytearray()
        self._files: list[int] = []

    async def send(self, frame: bytes, file: int | None = None) -> None:
        """Send a frame, and a file descriptor with it, which stays the caller's. Raises `LinkLost`."""
        head = _LENGTH.pack(len(frame))
        loop = asyncio.get_running_loop()
        try:
            if file is None:
                await loop.sock_sendall(self._socket, head + frame)
            else:
                await self._send_with(head, file)
                await loop.sock_sendall(self._socket, frame)
        except OSError as error:
            raise LinkLost(str(error)) from error

    async def _send_with(self, head: bytes, file: int) -> None:
        while True:
            try:
                socket.send_fds(self._socket, [head], [file])
            except BlockingIOError:
                await self._signals.writable()
            else:
                return

    async def receive(self) -> bytes:
        """Give the next frame; raises `LinkLost`."""
        while (frame := self._whole_frame()) is None:
            await self._read_more()
        return frame

    def take_file(self) -> int:
        """Give the file descriptor that came along, for the caller to close. Raises `LinkLost`."""
        if not self._files:
            raise LinkLost("no file came along")
        return self._files.pop(0)

    def _whole_frame(self) -> bytes | None:
        if len(self._read) < _LENGTH.size:
            return None
        stop = _LENGTH.size + _LENGTH.unpack_from(self._read)[0]
        if len(self._read) < stop:
            return None
        frame = bytes(memoryview(self._read)[_LENGTH.size : stop])
        del self._read[:stop]
        return frame

    async def _read_more(self) -> None:
        while True:
            try:
                data, files, _, _ = socket.recv_fds(self._socket, _READ, 1, _CLOSE_ON_EXEC)
            except BlockingIOError:
                await self._signals.readable()
                continue
            except OSError as error:
                raise LinkLost(str(error)) from error
            self._files += files
            if not data:
                raise LinkLost("closed")
            self._read += data
            return

    async def wait_lost(self) -> None:
        """Return when the other side has left; never once it has said more."""
        while True:
            try:
                data = self._socket.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                await self._signals.readable()
            except OSError:
                return
            else:
                if not data:
                    return
                await asyncio.get_running_loop().create_future()

    @property
    def is_quiet(self) -> bool:
        """Whether the other side is there and has said nothing."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return not self._read
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Leave; idempotent."""
        self._signals.close()
        for file in self._files:
            with suppress(OSError):
                socket.close(file)
        self._files.clear()


class Doorbell:
    """Where workers hand in links, and the keeper takes them. Both ends outlive who uses them."""

    def __init__(self, sock: socket.socket) -> None:
        """Take one end over."""
        sock.setblocking(False)
        self._socket = sock
        self._signals = _Signals(sock)

    async def ring(self) -> Link:
        """Hand a link in; gives this side of it, which works when somebody has taken the other."""
        ours, theirs = socket.socketpair()
        link = Link(ours)
        try:
            while True:
                try:
                    socket.send_fds(self._socket, [b"."], [theirs.fileno()])
                except BlockingIOError:
                    await self._signals.writable()
                else:
                    return link
        except OSError as error:
            link.close()
            raise LinkLost(str(error)) from error
        except BaseException:
            link.close()
            raise
        finally:
            theirs.close()

    async def links(self) -> AsyncIterator[Link]:
        """Take what is handed in, until no worker can ring any more."""
        while True:
            try:
                data, files, _, _ = socket.recv_fds(self._socket, 1, 1, _CLOSE_ON_EXEC)
            except BlockingIOError:
                await self._signals.readable()
                continue
            if not data:
                return
            for file in files:
                yield Link(socket.socket(fileno=file))

    def close(self) -> None:
        """Close this end."""
        self._signals.close()


class _Signals:
    """Tells any number of tasks when a socket can be read or written."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._readers: set[asyncio.Future[None]] = set()
        self._writers: set[asyncio.Future[None]] = set()

    async def readable(self) -> None:
        """Wait until there is something to read."""
        loop = asyncio.get_running_loop()
        await self._wait(self._readers, loop.add_reader, loop.remove_reader)

    async def writable(self) -> None:
        """Wait until there is room to write."""
        loop = asyncio.get_running_loop()
        await self._wait(self._writers, loop.add_writer, loop.remove_writer)

    async def _wait(
        self, waiters: set[asyncio.Future[None]], add: Callable[..., object], remove: Callable[..., object]
    ) -> None:
        waiter = asyncio.get_running_loop().create_future()
        if not waiters:
            add(self._socket.fileno(), _wake, waiters)
        waiters.add(waiter)
        try:
            await waiter
        finally:
            waiters.discard(waiter)
            if not waiters and self._socket.fileno() >= 0:
                remove(self._socket.fileno())

    def close(self) -> None:
        """Close the socket. The loop has to forget it first: its number will soon be another one's."""
        if self._socket.fileno() >= 0:
            if self._readers:
                asyncio.get_running_loop().remove_reader(self._socket.fileno())
            if self._writers:
                asyncio.get_running_loop().remove_writer(self._socket.fileno())
        self._socket.close()
        _wake(self._readers | self._writers)


def _wake(waiters: set[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
