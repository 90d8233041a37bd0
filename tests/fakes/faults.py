"""What an upstream can do wrong, each as one frozen value.

A fault speaks at up to three moments: ``options`` before the answer is made, ``reply`` on the made
answer, ``delivery`` on how its bytes travel. Several faults on one path apply in the order given.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import zlib
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import lru_cache

_versions = itertools.count(1)


class Framing(Enum):
    """How the end of a body is told."""

    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Options:
    """What the double's handlers are told before they make an answer."""

    html_only: bool = False
    ranges: bool = True
    serial_shift: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it is sent; header names in their usual case, ``length_delta`` is the lie in bytes."""

    status: int
    headers: dict[str, str]
    body: bytes | memoryview = b""
    framing: Framing = Framing.LENGTH
    length_delta: int = 0

    def with_headers(self, **headers: str | None) -> Reply:
        """Set (or with None remove) headers; underscores stand for hyphens."""
        merged = dict(self.headers)
        for key, value in headers.items():
            name = "-".join(part.capitalize() for part in key.split("_"))
            old = next((known for known in merged if known.lower() == name.lower()), name)
            merged.pop(old, None)
            if value is not None:
                merged[old] = value
        return replace(self, headers=merged)


class Gate:
    """Where an answer waits until the test lets it go; one gate may hold many answers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reached = 0
        self._released = False
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    @property
    def reached(self) -> int:
        """How many answers have come to the gate so far."""
        return self._reached

    def release(self) -> None:
        """Let all waiting and all later answers pass."""
        with self._changed:
            self._released = True
            for event, loop in self._waiting.items():
                loop.call_soon_threadsafe(event.set)

    def wait_reached(self, count: int = 1, timeout: float = 20) -> None:
        """Block until ``count`` answers have come (async tests: ``asyncio.to_thread``).

        Raises TimeoutError after ``timeout`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._reached >= count, timeout):
                raise TimeoutError(f"{self._reached} of {count} answers came to the gate in {timeout} s")

    async def pass_through(self) -> None:
        """Tell the test that an answer is here and wait for the release (called by the double)."""
        event = asyncio.Event()
        with self._changed:
            self._reached += 1
            self._changed.notify_all()
            if self._released:
                return
            self._waiting[event] = asyncio.get_running_loop()
        try:
            await event.wait()
        finally:
            with self._changed:
                del self._waiting[event]


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a body ends too early, and whether with RST."""

    after: int
    reset: bool


@dataclass(frozen=True, slots=True)
class Pace:
    """``chunk`` bytes every ``interval`` seconds."""

    chunk: int
    interval: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the bytes of one answer travel."""

    delay: float = 0.0
    head_gates: tuple[Gate, ...] = ()
    body_gates: tuple[tuple[int, Gate], ...] = ()
    cut: Cut | None = None
    pace: Pace | None = None
    close: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """No fault at all; the base of all others."""

    def options(self, options: Options) -> Options:
        """Change what the handler is told."""
        return options

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002 - redirects to itself need it
        """Change the answer."""
        return reply

    def delivery(self, delivery: Delivery) -> Delivery:
        """Change how the answer is sent."""
        return delivery


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """Answer with this status, these headers and a short text in place of the object."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"an answer made by a fault\n"

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002
        return Reply(self.status, {"Content-Type": "text/plain", **self.headers}, self.body)


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """Wait so many seconds before the head."""

    seconds: float

    def delivery(self, delivery: Delivery) -> Delivery:
        return replace(delivery, delay=delivery.delay + self.seconds)


@dataclass(frozen=True, slots=True, eq=False)
class Hold(Fault):
    """Wait at the gate before the head, or after ``after`` bytes of the body."""

    gate: Gate
    after: int | None = None

    def delivery(self, delivery: Delivery) -> Delivery:
        if self.after is None:
            return replace(delivery, head_gates=(*delivery.head_gates, self.gate))
        return replace(delivery, body_gates=(*delivery.body_gates, (self.after, self.gate)))


@dataclass(frozen=True, slots=True)
class Drip(Fault):
    """Send ``chunk`` bytes of the body every ``interval`` seconds."""

    chunk: int = 1
    interval: float = 0.05

    def delivery(self, delivery: Delivery) -> Delivery:
        return replace(delivery, pace=Pace(self.chunk, self.interval))


@dataclass(frozen=True, slots=True)
class RateLimit(Fault):
    """Send the body at this many bytes a second."""

    bytes_per_second: int

    def delivery(self, delivery: Delivery) -> Delivery:
        return replace(delivery, pace=Pace(max(1, self.bytes_per_second // 50), 0.02))


@dataclass(frozen=True, slots=True)
class Truncate(Fault):
    """Close the connection politely after so many bytes of the body, whatever Content-Length said."""

    after: int

    def delivery(self, delivery: Delivery) -> Delivery:
        return replace(delivery, cut=Cut(self.after, reset=False))


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """Reset the connection (RST) after so many bytes of the body; a negative number: before the head."""

    after: int = -1

    def delivery(self, delivery: Delivery) -> Delivery:
        return replace(delivery, cut=Cut(self.after, reset=True))


@dataclass(frozen=True, slots=True)
class ThenClose(Fault):
    """Close the connection after a whole answer, without having said so."""

    def delivery(self, delivery: Delivery) -> Delivery:
        return replace(delivery, close=True)


@dataclass(frozen=True, slots=True)
class WrongBytes(Fault):
    """Flip all bits of the body's byte at this offset (of the body as sent; negative: from its end)."""

    at: int = 0

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002
        body = bytearray(reply.body)
        if body:
            body[self.at % len(body)] ^= 0xFF
        return replace(reply, body=bytes(body))


@dataclass(frozen=True, slots=True)
class WrongLength(Fault):
    """Say a Content-Length that is off by ``delta`` bytes; the connection closes after the real body."""

    delta: int

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002
        return replace(reply, length_delta=self.delta)

    def delivery(self, delivery: Delivery) -> Delivery:
        return replace(delivery, close=True)


@dataclass(frozen=True, slots=True)
class NoLength(Fault):
    """Send the body without Content-Length: in chunks, or ended by the close of the connection."""

    chunked: bool = True

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002
        return replace(reply, framing=Framing.CHUNKED if self.chunked else Framing.CLOSE)


@dataclass(frozen=True, slots=True)
class LowerSerial(Fault):
    """Say a serial that is lower by so many, in the header and in the page: an old copy from another node."""

    by: int = 1

    def options(self, options: Options) -> Options:
        return replace(options, serial_shift=options.serial_shift - self.by)


@dataclass(frozen=True, slots=True)
class HtmlOnly(Fault):
    """An index that knows only HTML."""

    def options(self, options: Options) -> Options:
        return replace(options, html_only=True)


@dataclass(frozen=True, slots=True)
class NoRanges(Fault):
    """Answer 200 with all bytes to range requests, and say nothing of ranges."""

    def options(self, options: Options) -> Options:
        return replace(options, ranges=False)


@dataclass(frozen=True, slots=True)
class NoEtag(Fault):
    """Send no ETag."""

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002
        return reply.with_headers(etag=None)


@dataclass(frozen=True, slots=True)
class OtherEtagEachTime(Fault):
    """Send another strong ETag on each answer, as different storage back ends do."""

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002
        return reply.with_headers(etag=f'"node-{next(_versions)}"')


@dataclass(frozen=True, slots=True)
class ContentType(Fault):
    """Send this Content-Type with the unchanged body; None: send none."""

    value: str | None

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002
        return reply.with_headers(content_type=self.value)


@dataclass(frozen=True, slots=True)
class NotJson(Fault):
    """Send what is no JSON under the content type that the page would have had."""

    body: bytes = b"<html>We will be back soon</html>"

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002
        return replace(reply.with_headers(content_encoding=None), body=self.body)


@dataclass(frozen=True, slots=True)
class GzipBomb(Fault):
    """Send a small gzip body that unpacks to ``size`` bytes."""

    size: int

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002
        return replace(reply.with_headers(content_encoding="gzip"), status=200, body=_bomb(self.size))


@dataclass(frozen=True, slots=True)
class RedirectTo(Fault):
    """Redirect to this URL."""

    url: str
    status: int = 302

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002
        return Reply(self.status, {"Location": self.url, "Content-Type": "text/plain"}, b"elsewhere\n")


@dataclass(frozen=True, slots=True)
class RedirectLoop(Fault):
    """Redirect to the very same path."""

    def reply(self, reply: Reply, path: str) -> Reply:  # noqa: ARG002
        return Reply(302, {"Location": path, "Content-Type": "text/plain"}, b"here again\n")


@lru_cache(maxsize=4)
def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    parts = [packer.compress(zeros[: min(len(zeros), size - at)]) for at in range(0, size, len(zeros))]
    return b"".join([*parts, packer.flush()])
