"""A plain client: whole answers for checks, verified downloads with their times, and a flood of file bodies.

It reads with large buffers and compares what it reads with the body that is right, so that it costs little
next to the servers and no byte goes unseen.
"""

from __future__ import annotations

import gzip
import json
import select
import socket
import sys
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.corpus import File, family

if TYPE_CHECKING:
    from collections.abc import Mapping

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BUFFER = 512 * 1024
TIMEOUT = 120.0
UV_PAGE = {
    "Accept": "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01",
    "Accept-Encoding": "gzip, deflate, zstd",
}
UV_METADATA = {"Accept-Encoding": "gzip, deflate, zstd"}
UV_FILE = {"Accept-Encoding": "identity"}


class WrongAnswerError(Exception):
    """A server answered something else than it was asked for; nothing is timed on such an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; field names in lower case."""

    url: str
    status: int
    fields: Mapping[str, str]
    body: bytes

    def decoded(self) -> bytes:
        """Return the body without its content coding."""
        coding = self.fields.get("content-encoding", "identity")
        match coding:
            case "identity":
                return self.body
            case "gzip":
                return gzip.decompress(self.body)
            case "deflate":
                return zlib.decompress(self.body)
            case "zstd":
                return bytes(zstd.decompress(self.body))
        raise WrongAnswerError(f"{self.url}: unknown coding {coding}")


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from before the connection to the first body byte and to the last."""

    first_byte: float
    total: float


@dataclass(slots=True)
class Exchange:
    """One GET on a socket: sends the head, reads the answer's head; its user reads the body."""

    url: str
    headers: Mapping[str, str]
    sock: socket.socket = field(init=False, repr=False)
    status: int = field(init=False, default=0)
    fields: dict[str, str] = field(init=False, default_factory=dict)
    early: bytes = field(init=False, default=b"", repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        assert parts.port is not None
        self.sock = socket.create_connection(("127.0.0.1", parts.port), TIMEOUT)
        self.sock.settimeout(TIMEOUT)

    def send(self, method: str = "GET", body: bytes = b"") -> None:
        parts = urlsplit(self.url)
        lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "User-Agent: uv/0.13.9"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)

    def read_head(self) -> int:
        """Read the head and return the body's length; `early` holds what came with it."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.sock.recv(65536)
            if not piece:
                raise WrongAnswerError(f"{self.url}: closed within the head")
            data += piece
        head, _, self.early = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        pairs = (line.split(":", 1) for line in lines)
        self.fields = {name.lower(): value.strip() for name, value in pairs}
        return int(self.fields.get("content-length", -1))

    def read_to_end(self) -> bytes:
        """Return the body of an answer after which the server closes."""
        return self.early + b"".join(iter(lambda: self.sock.recv(BUFFER), b""))

    def close(self) -> None:
        self.sock.close()


def fetch(url: str, headers: Mapping[str, str], *, method: str = "GET", body: bytes = b"") -> Answer:
    """Return the whole answer to one request on its own connection, up to three local redirects followed."""
    for _ in range(4):
        exchange = Exchange(url, {**headers, "Connection": "close"})
        exchange.send(method, body)
        length = exchange.read_head()
        content = exchange.read_to_end()
        exchange.close()
        location = exchange.fields.get("location")
        if exchange.status not in (301, 302, 307, 308) or location is None:
            break
        url = location if "//" in location else f"http://{urlsplit(url).netloc}{location}"
    if exchange.fields.get("transfer-encoding", "").lower() == "chunked":
        content = _dechunk(content)
    elif length >= 0 and len(content) != length:
        raise WrongAnswerError(f"{url}: {len(content)} bytes of {length}")
    return Answer(url, exchange.status, exchange.fields, content)


def _dechunk(content: bytes) -> bytes:
    pieces: list[bytes] = []
    while content:
        size, _, content = content.partition(b"\r\n")
        count = int(size.split(b";")[0], 16)
        pieces.append(content[:count])
        content = content[count + 2 :]
        if count == 0:
            return b"".join(pieces)
    raise WrongAnswerError("chunked body without its end")


@dataclass(slots=True)
class Follower:
    """Checks a body against the file's as it comes."""

    url: str
    file: File
    kind: str
    seen: int = 0

    def feed(self, piece: memoryview | bytes) -> None:
        """Take the next bytes of the body; WrongAnswerError when one is not the file's."""
        body = family(self.kind).body
        if self.seen + len(piece) <= len(body):
            right = body.startswith(piece, self.seen)
        else:
            wanted = (body[self.seen :] + self.file.tail)[max(0, self.seen - len(body)) :]
            right = bytes(piece) == wanted[: len(piece)]
        if not right:
            raise WrongAnswerError(f"{self.url}: wrong bytes near {self.seen}")
        self.seen += len(piece)


def download(url: str, kind: str, file: File) -> Timing:
    """Download once on a new connection, every byte compared with the file's."""
    return download_many([url], kind, file)[0]


def download_many(urls: list[str], kind: str, file: File | list[File]) -> list[Timing]:
    """Download all URLs at once, each on a new connection, every byte compared; return their times."""
    files = file if isinstance(file, list) else [file] * len(urls)
    buffer = memoryview(bytearray(BUFFER))
    poll = select.epoll()
    running: dict[int, _Running] = {}
    family(kind)
    for url, one in zip(urls, files, strict=True):
        running_one = _Running(url, kind, one)
        running[running_one.exchange.sock.fileno()] = running_one
        poll.register(running_one.exchange.sock, select.EPOLLIN)
    everyone = list(running.values())
    for one in everyone:
        one.exchange.send()
    while running:
        events = poll.poll(TIMEOUT)
        if not events:
            raise WrongAnswerError(f"{urls[0]}: no byte for {TIMEOUT} s")
        for descriptor, _ in events:
            if running[descriptor].advance(buffer):
                poll.unregister(descriptor)
                running.pop(descriptor).exchange.close()
    poll.close()
    return [Timing(one.first - one.started, one.last - one.started) for one in everyone]


class _Running:
    """One download among many."""

    def __init__(self, url: str, kind: str, file: File) -> None:
        self.started = time.perf_counter()
        self.first = self.last = 0.0
        self.exchange = Exchange(url, UV_FILE)
        self._follower = Follower(url, file, kind)

    def advance(self, buffer: memoryview) -> bool:
        """Read what there is; return whether the body is complete."""
        if not self.exchange.status:
            self._begin()
        else:
            count = self.exchange.sock.recv_into(buffer)
            if not count:
                raise WrongAnswerError(f"{self.exchange.url}: cut at {self._follower.seen}")
            self._take(buffer[:count])
        self.last = time.perf_counter()
        return self._follower.seen == self._follower.file.size

    def _begin(self) -> None:
        length = self.exchange.read_head()
        if self.exchange.status != 200 or length not in (-1, self._follower.file.size):
            raise WrongAnswerError(f"{self.exchange.url}: {self.exchange.status}, {length} bytes")
        if self.exchange.early:
            self._take(self.exchange.early)

    def _take(self, piece: memoryview | bytes) -> None:
        self.first = self.first or time.perf_counter()
        self._follower.feed(piece)


@dataclass(frozen=True, slots=True)
class Flood:
    """`rate` body bytes/s over `seconds`; `busy` the share of the client's core in use."""

    rate: float
    total: int
    seconds: float
    busy: float


def flood(url: str, size: int, seconds: float, connections: int) -> Flood:
    """Ask for the same file again and again on keep-alive connections; count the body bytes that come."""
    buffer = memoryview(bytearray(BUFFER))
    poll = select.epoll()
    exchanges = [Exchange(url, UV_FILE) for _ in range(connections)]
    left = dict.fromkeys((exchange.sock.fileno() for exchange in exchanges), 0)
    by_descriptor = {exchange.sock.fileno(): exchange for exchange in exchanges}
    for exchange in exchanges:
        poll.register(exchange.sock, select.EPOLLIN)
        exchange.send()
    total, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        for descriptor, _ in poll.poll(TIMEOUT):
            exchange = by_descriptor[descriptor]
            if left[descriptor] == 0:
                if exchange.read_head() != size or exchange.status != 200:
                    raise WrongAnswerError(f"{url}: {exchange.status} {exchange.fields}")
                count = len(exchange.early)
                left[descriptor] = size - count
            else:
                count = exchange.sock.recv_into(buffer)
                left[descriptor] -= count
                if not count:
                    raise WrongAnswerError(f"{url}: cut with {left[descriptor]} bytes to come")
            total += count
            if left[descriptor] == 0:
                exchange.send()
    spent = time.perf_counter() - start
    busy = (time.process_time() - cpu) / spent
    poll.close()
    for exchange in exchanges:
        exchange.close()
    return Flood(total / spent, total, spent, busy)


def fetch_json(url: str) -> object:
    """Return the JSON that `url` answers."""
    return json.loads(fetch(url, {}).body)
