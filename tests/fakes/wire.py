"""HTTP/1.1 on bare sockets: enough to serve an index, and low enough to break every rule of it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SLICE = 1 << 20
MAX_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; header names in lower case; ``started_at`` counts requests from 0."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    started_at: int = 0


def parse_head(head: bytes, started_at: int) -> Request:
    """Read a request line and its headers. Raises ValueError on anything that is not HTTP/1.x."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"not HTTP/1.x: {first!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, started_at)


@dataclass(slots=True)
class Connection:
    """One accepted socket; whoever holds it closes it exactly once, politely or not."""

    sock: socket.socket
    _buffer: bytearray = field(default_factory=bytearray)

    async def read_head(self) -> bytes | None:
        """Return the bytes of the next request head without its blank line, or None at the end."""
        loop = asyncio.get_running_loop()
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            data = await loop.sock_recv(self.sock, 1 << 16)
            if not data or len(self._buffer) > MAX_HEAD:
                return None
            self._buffer += data
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        return head

    async def skip(self, length: int) -> None:
        """Read a request body and forget it."""
        loop = asyncio.get_running_loop()
        while len(self._buffer) < length:
            data = await loop.sock_recv(self.sock, 1 << 16)
            if not data:
                return
            self._buffer += data
        del self._buffer[:length]

    async def send(self, data: bytes | memoryview) -> None:
        """Send all of ``data``; the kernel takes slices straight from the caller's memory."""
        loop = asyncio.get_running_loop()
        view = memoryview(data)
        for start in range(0, len(view), SLICE):
            await loop.sock_sendall(self.sock, view[start : start + SLICE])

    async def drained(self) -> None:
        """Wait (a second at most) until the peer's kernel has all bytes: a reset would drop the rest."""
        for _ in range(1000):
            (waiting,) = struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, b"\0\0\0\0"))
            if not waiting:
                return
            await asyncio.sleep(0.001)

    def reset(self) -> None:
        """Close with RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        """Close with FIN; a second call does nothing."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
        self.sock.close()


class Listener:
    """Accepts connections on one loopback port, which it can leave and take again."""

    def __init__(self, serve: Callable[[Connection], Awaitable[None]]) -> None:
        self.port = 0
        self._serve = serve
        self._sock: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen: on a free port the first time, on the same one later."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(("127.0.0.1", self.port))
        sock.listen(1024)
        self.port = sock.getsockname()[1]
        self._sock = sock
        self._accepting = asyncio.create_task(self._accept(sock))

    async def close(self) -> None:
        """Refuse new connections and cut the open ones."""
        if self._accepting is None or self._sock is None:
            return
        tasks = [self._accepting, *self._serving]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sock.close()
        self._sock = self._accepting = None

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(listening)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.create_task(self._own(Connection(sock)))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _own(self, connection: Connection) -> None:
        try:
            await self._serve(connection)
        except ConnectionError:
            return  # the client left: its right
        finally:
            connection.close()
