"""Fifty clients that ask for one cold file at the same moment."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import http
from bench.corpus import family
from bench.links import NARROW
from bench.results import Group, Measurement, Row, in_turn, ratios

if TYPE_CHECKING:
    from bench.lab import Lab

CROWD = 50


def _measure(lab: Lab) -> list[Measurement]:
    requests: list[float] = []
    pairs = in_turn(lab.options.slow_pairs, partial(_ask, lab, CROWD, requests), partial(_ask, lab, 1, []))
    return [ratios(pairs), Measurement(requests)]


def _ask(lab: Lab, clients: int, requests: list[float]) -> float:
    """Return the seconds until the last client has all of a new file; note the upstream requests it took."""
    number = lab.new_file_number()
    file = family("big").file(number)
    url = lab.subject(NARROW).file("big", number)
    lab.upstream.forget_counts()
    timings = http.download_many([url] * clients, "big", file)
    requests.append(lab.upstream.count(file.path))
    return max(timing.total for timing in timings)


GROUPS = (
    Group(
        (
            Row(
                "crowd.time",
                "50 clients, one cold file 100 MB at 20 MB/s",
                "one client",
                "<=",
                1.1,
                quantity="s",
            ),
            Row(
                "crowd.requests",
                "50 clients, one cold file, upstream requests",
                "–",
                "<=",
                1.0,
                "requests",
                "requests",
            ),
        ),
        _measure,
    ),
)
