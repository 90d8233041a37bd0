"""Counts by the hour, put together for a chart of few lines. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import dropwhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cheesebox.web.models import HourSum, Sum

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Span:
    """Sums of the hours from ``start`` on (seconds since the epoch), as many as its chart says."""

    start: int
    hits: int = 0
    misses: int = 0
    saved: int = 0

    @property
    def answers(self) -> int:
        """Give the count of all answers."""
        return self.hits + self.misses

    @property
    def ratio(self) -> float | None:
        """Give the share of hits; None when nothing was asked."""
        return self.hits / self.answers if self.answers else None

    def with_hour(self, found: Sum) -> Span:
        """Add the sums of an hour."""
        return Span(self.start, self.hits + found.hits, self.misses + found.misses, self.saved + found.saved)


def spans(sums: Iterable[HourSum], since: int, hours: int, lines: int) -> list[Span]:
    """Put the ``hours`` from ``since`` on into at most ``lines`` spans of equal length, oldest first.

    Spans before the first answer are left out, empty ones after it are not.
    """
    width = -(-hours // lines) * HOUR
    end = since + hours * HOUR
    found = {start: Span(start) for start in range(since, end, width)}
    for hour in sums:
        start = since + (hour.start - since) // width * width
        if start in found:
            found[start] = found[start].with_hour(hour.sum)
    return list(dropwhile(lambda span: not span.answers, found.values()))


def bar(span: Span, most: int, width: int) -> tuple[int, int]:
    """Give the lengths of the bars of hits and of misses, when ``most`` answers are ``width`` long.

    Whatever was counted can be seen: what is not zero is at least one long.
    """
    return _length(span.hits, most, width), _length(span.misses, most, width)


def _length(count: int, most: int, width: int) -> int:
    return max(1, round(count * width / most)) if count else 0


def busiest(found: Sequence[Span]) -> int:
    """Give the most answers of one span; at least 1."""
    return max([1, *(span.answers for span in found)])
