"""The one upstream of all peers: a process of its own that listens once for each link, counts and obeys its
limits.

`python -m bench.upstream` prints one line of JSON, the port of each link and of the control address, and
then serves until its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field

import uvloop

from bench import corpus, recording
from bench.links import LINKS, Link
from bench.site import Part, Reply, Site

CHUNK = 256 * 1024
HEAD_LIMIT = 64 * 1024


@dataclass(slots=True)
class Pace:
    """The capacity of a link, shared by its connections; times are those of the loop."""

    rate: float | None
    _free_at: float = 0.0

    async def take(self, size: int) -> None:
        if self.rate is None:
            return
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now - 0.005) + size / self.rate
        if self._free_at - now > 0.001:
            await asyncio.sleep(self._free_at - now)

    @property
    def chunk(self) -> int:
        return CHUNK if self.rate is None else max(4096, min(CHUNK, int(self.rate * 0.001)))


@dataclass(slots=True)
class Shared:
    """What the links have in common: request counts by link and path, and the canned answers."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    canned: dict[str, Reply] = field(default_factory=dict)
    recorded: recording.Recording | None = None


@dataclass(slots=True)
class Request:
    """A request head, field names in lower case."""

    method: str
    target: str
    headers: dict[str, str]


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Return the next request head, or None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines)
    return Request(method, target, {name.lower(): value.strip() for name, value in pairs})


class LinkServer:
    """Serves the site at the far end of one link."""

    def __init__(self, link: Link, shared: Shared) -> None:
        self._link = link
        self._shared = shared
        self._pace = Pace(link.rate)
        self._site: Site | None = None
        self._server: asyncio.Server | None = None

    async def listen(self) -> int:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, limit=HEAD_LIMIT, backlog=1024
        )
        port: int = self._server.sockets[0].getsockname()[1]
        self._site = Site(
            f"http://127.0.0.1:{port}",
            metadata=self._link.metadata,
            recording=self._shared.recorded,
            canned=self._shared.canned,
        )
        return port

    def close(self) -> None:
        """Stop to listen."""
        if self._server is not None:
            self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=2 * CHUNK)
        await asyncio.sleep(self._link.rtt)
        try:
            while request := await read_request(reader):
                await self._respond(request, writer)
                if request.headers.get("connection", "").lower() == "close":
                    break
        except ConnectionError:
            pass  # the peer hung up: its business
        finally:
            writer.close()

    async def _respond(self, request: Request, writer: asyncio.StreamWriter) -> None:
        assert self._site is not None
        path = request.target.partition("?")[0]
        self._shared.counts[self._link.name, path] += 1
        reply = self._site.answer(path, request.headers)
        if self._link.rtt:
            await asyncio.sleep(self._link.rtt)
        writer.write(reply.head())
        if request.method != "HEAD":
            for part in reply.parts:
                await self._send(part, writer)
        await writer.drain()

    async def _send(self, part: Part, writer: asyncio.StreamWriter) -> None:
        view, step = memoryview(part), self._pace.chunk
        for offset in range(0, len(view), step):
            piece = view[offset : offset + step]
            await self._pace.take(len(piece))
            writer.write(piece)
            await writer.drain()


class ControlServer:
    """Tells and forgets the counts; keeps canned answers (`POST` of body and fields to a path)."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def listen(self) -> int:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=HEAD_LIMIT)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            body = await reader.readexactly(int(request.headers.get("content-length", 0)))
            reply = self._answer(request, body)
            writer.write(reply.head() + b"".join(reply.parts))
            if request.headers.get("connection", "").lower() == "close":
                break
        writer.close()

    def _answer(self, request: Request, body: bytes) -> Reply:
        if request.method == "POST":
            kept = ("content-type", "content-encoding", "etag", "cache-control")
            fields = {name: request.headers[name] for name in kept if name in request.headers}
            self._shared.canned[request.target] = Reply(200, fields, (body,))
            return Reply(204)
        counts = [[link, path, count] for (link, path), count in self._shared.counts.items()]
        if request.target == "/reset":
            self._shared.counts.clear()
        return Reply(200, {"Content-Type": "application/json"}, (json.dumps(counts).encode(),))


async def main() -> None:
    shared = Shared(recorded=recording.load())
    for kind in corpus.FILE_SIZES:
        corpus.family(kind)
    ports = {link.name: await LinkServer(link, shared).listen() for link in LINKS}
    ports["control"] = await ControlServer(shared).listen()
    print(json.dumps(ports), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
