"""A cold file of 100 MB: against going directly, and against nginx's MISS, also with hashing added."""

from __future__ import annotations

import hashlib
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from bench import http
from bench.corpus import family
from bench.links import GBIT, NEAR
from bench.peers.base import Running
from bench.results import Group, Measurement, Row, in_turn, ratios

if TYPE_CHECKING:
    from bench.http import Timing
    from bench.lab import Lab

MILLISECOND = 1e-3
PIECE = 256 * 1024
HASHINGS = 5


def _download(lab: Lab, base: str | Running) -> Timing:
    """Download a file that nobody has asked for yet, with no write-back of the last one under way."""
    number = lab.new_file_number()
    file = family("big").file(number)
    url = base.file("big", number) if isinstance(base, Running) else base + file.path
    os.sync()
    return http.download(url, "big", file)


def _against_direct(lab: Lab) -> list[Measurement]:
    subject, direct = lab.subject(GBIT), lab.upstream.origin(GBIT)
    _download(lab, subject)
    pairs = in_turn(lab.options.pairs, partial(_download, lab, subject), partial(_download, lab, direct))
    first = [((one.first_byte) / MILLISECOND, (other.first_byte) / MILLISECOND) for one, other in pairs]
    later = Measurement([one - other for one, other in first], [a for a, _ in first], [b for _, b in first])
    return [ratios([(one.total, other.total) for one, other in pairs]), later]


def _against_miss(lab: Lab) -> list[Measurement]:
    subject, peer = lab.subject(NEAR), lab.peer("nginx-plain", NEAR)
    for running in (subject, peer):
        _download(lab, running)
    pairs = in_turn(lab.options.pairs, partial(_download, lab, subject), partial(_download, lab, peer))
    hashing = _hashing()
    return [
        ratios([(one.total, other.total) for one, other in pairs]),
        ratios([(one.total, other.total + hashing) for one, other in pairs]),
    ]


def _hashing() -> float:
    """Return the seconds that a core takes for the digest of a big file, which nginx does not check."""
    body, times = memoryview(family("big").body), []
    for _ in range(HASHINGS):
        began, hasher = time.thread_time(), hashlib.blake2b(digest_size=32)
        for offset in range(0, len(body), PIECE):
            hasher.update(body[offset : offset + PIECE])
        times.append(time.thread_time() - began)
    return min(times)


GROUPS = (
    Group(
        (
            Row(
                "cold.gbit.direct", "cold file 100 MB, upstream 125 MB/s", "direct", "<=", 1.05, quantity="s"
            ),
            Row(
                "cold.first-byte.direct",
                "cold file 100 MB, first byte later by",
                "direct",
                "<=",
                5.0,
                "ms",
                "ms",
            ),
        ),
        _against_direct,
    ),
    Group(
        (
            Row(
                "cold.near.nginx-plain", "cold file 100 MB, no limit", "nginx-plain", "<=", 1.5, quantity="s"
            ),
            Row(
                "cold.near.verified",
                "cold file 100 MB, no limit",
                "the same and BLAKE2b",
                "<=",
                None,
                quantity="s",
            ),
        ),
        _against_miss,
    ),
)
