"""What a worker and the keeper say to each other: values, packed with MessagePack.

A worker says `Asked` or `Report`. The keeper answers the first with an `Answer`, which a stored file
goes along with or more than one `Chunk` follows, up to `End` or `Cut`; the second with `End`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cheesebox.web.heads import ReadyHead  # noqa: TC001 - msgspec reads it at run time
from cheesebox.web.http import Request  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Callable


class Asked(msgspec.Struct, frozen=True, tag="ask"):
    """A request with its whole body."""

    request: Request
    body: bytes = b""


class Use(msgspec.Struct, frozen=True, array_like=True):
    """How often a stored object was used; ``at`` is the last time, in seconds since the epoch."""

    key: str
    at: float
    hits: int


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """Answers of one tally, and the bytes of their bodies."""

    index: str
    kind: str
    outcome: str
    answers: int
    size: int


class Report(msgspec.Struct, frozen=True, tag="report"):
    """What a worker has answered since its last report. ``codes`` counts answers by HTTP status."""

    counted: list[Counted]
    codes: dict[int, int]
    uses: list[Use]


class Whole(msgspec.Struct, frozen=True, tag="whole"):
    """The whole body."""

    body: bytes


class Handed(msgspec.Struct, frozen=True, tag="file"):
    """The bytes ``start`` up to ``stop`` of the file that goes along."""

    start: int
    stop: int


class Streamed(msgspec.Struct, frozen=True, tag="stream"):
    """The body comes in chunks: the bytes ``start`` up to ``stop`` (None: to its end) of something."""

    start: int
    stop: int | None


class Offer(msgspec.Struct, frozen=True):
    """How the worker may answer the same request by itself (`cheesebox.web.hot.Template`).

    It holds from ``since`` until ``ends`` (seconds since the epoch), while the slots of the board read
    what was ``seen``; ``most`` is the longest freshness lifetime to tell. ``body`` is None where it is
    the answer's own.
    """

    key: str
    kind: str
    etag: str
    head: ReadyHead
    seen: tuple[tuple[int, int], ...]
    since: float
    ends: float
    most: float
    body: bytes | None = None


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The head of an answer. ``admits``: the request's ``Authorization`` field lets in."""

    status: int
    headers: list[tuple[str, str]]
    cache: str
    kind: str
    index: str
    body: Whole | Handed | Streamed
    offer: Offer | None = None
    admits: bool = False


class Chunk(msgspec.Struct, frozen=True, tag="chunk"):
    """The next bytes of a body."""

    body: bytes


class End(msgspec.Struct, frozen=True, tag="end"):
    """All has been said."""


class Cut(msgspec.Struct, frozen=True, tag="cut"):
    """The rest of the body can't be had, and why."""

    reason: str


FromWorker = Asked | Report
FromKeeper = Answer | Chunk | End | Cut

pack: Callable[[FromWorker | FromKeeper], bytes] = msgspec.msgpack.encode


def unpack_worker(frame: bytes) -> FromWorker:
    """Read what a worker says."""
    said: FromWorker = msgspec.msgpack.decode(frame, type=FromWorker)
    return said


def unpack_keeper(frame: bytes) -> FromKeeper:
    """Read what the keeper says."""
    said: FromKeeper = msgspec.msgpack.decode(frame, type=FromKeeper)
    return said
