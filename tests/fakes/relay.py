"""A TCP relay between client and server: it remembers what was asked and answered, and can cut the line."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Self
from urllib.parse import urlsplit

from tests.fakes.loop_thread import LoopThread

_STATUS = re.compile(rb"\r\nx-cache2: ([a-z]+)\r", re.IGNORECASE)
_OVERLAP = 64


class Relay:
    """Relays to the server of ``target_url``, on loopback.

    With ``cut_after`` the first connection that brought so many bytes of answers is closed.
    """

    def __init__(self, target_url: str, cut_after: int | None = None) -> None:
        self.cuts = 0
        self.statuses: list[str] = []
        self._target_url = target_url
        self._cut_after = cut_after
        self._port = 0
        self._asked = bytearray()
        self._thread = LoopThread("relay")
        self._relays: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.call(self._stop())
        self._thread.stop()

    @property
    def url(self) -> str:
        """The target's URL by way of the relay."""
        return self._target_url.replace(f":{self._target_port}/", f":{self._port}/")

    @property
    def asked(self) -> str:
        """All that clients have sent, requests and their headers, in lower case."""
        return self._asked.decode("latin-1").lower()

    @property
    def _target_port(self) -> int:
        return urlsplit(self._target_url).port or 80

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writers in list(self._relays.values()):
            for writer in writers:
                writer.close()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _relay(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._target_port)
        task = asyncio.current_task()
        assert task is not None
        self._relays[task] = (to_client, to_server)
        up = asyncio.create_task(self._up(client, to_server))
        try:
            with contextlib.suppress(ConnectionError):  # one side left
                await self._down(server, to_client)
        finally:
            await _close(to_client, to_server)
            await asyncio.gather(up, return_exceptions=True)
            del self._relays[task]

    async def _up(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        while data := await client.read(1 << 16):
            self._asked += data
            to_server.write(data)
            await to_server.drain()
        to_server.close()

    async def _down(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        brought, tail = 0, b""
        while data := await server.read(1 << 16):
            brought += len(data)
            tail = self._note(tail + data)
            to_client.write(data)
            await to_client.drain()
            if self._cut_after is not None and brought >= self._cut_after and not self.cuts:
                self.cuts += 1
                return

    def _note(self, data: bytes) -> bytes:
        """Note the cache statuses in ``data``; return what a header cut in two may have begun in."""
        end = 0
        for found in _STATUS.finditer(data):
            self.statuses.append(found.group(1).decode().upper())
            end = found.end()
        return data[max(end, len(data) - _OVERLAP) :]


async def _close(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
