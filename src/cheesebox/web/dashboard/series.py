"""Hours put together to what one bar of a plot stands for. Pure.

Bars begin at whole multiples of their width in UTC, so that they stay the same from one look to the next;
the last one is still going on.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.cache.history import HOUR, hour_of
from cheesebox.cache.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cheesebox.web.models import HourSum, Sum


@dataclass(frozen=True, slots=True)
class Window:
    """How far back is looked, in how many bars; ``hours`` is the width of one."""

    name: str
    label: str
    bars: int
    hours: int

    @property
    def width(self) -> int:
        """Give the width of a bar in seconds."""
        return self.hours * HOUR

    def first(self, now: float) -> int:
        """Give the start of the first bar."""
        return int(now // self.width) * self.width - (self.bars - 1) * self.width

    def hours_back(self, now: float) -> int:
        """Give how many hours of history are needed, this one among them."""
        return (hour_of(now) - self.first(now)) // HOUR + 1


DAY = Window("24h", "24 hours", 24, 1)
WEEK = Window("7d", "7 days", 28, 6)
MONTH = Window("35d", "35 days", 35, 24)
WINDOWS = {window.name: window for window in (DAY, WEEK, MONTH)}


@dataclass(frozen=True, slots=True)
class Bucket:
    """What one bar stands for; ``start`` in seconds since the epoch."""

    start: int
    sums: Sums


def buckets(hours: Iterable[HourSum], window: Window, now: float) -> list[Bucket]:
    """Give all bars of a window, the empty ones too, oldest first."""
    found: dict[int, list[Sum]] = defaultdict(list)
    for hour in hours:
        found[hour.start // window.width * window.width].append(hour.sum)
    first = window.first(now)
    starts = range(first, first + window.bars * window.width, window.width)
    return [Bucket(start, together(found.get(start, ()))) for start in starts]


def together(parts: Iterable[Sum]) -> Sums:
    """Add sums up."""
    total = Sums()
    for part in parts:
        total = Sums(
            total.hits + part.hits,
            total.misses + part.misses,
            total.stale + part.stale,
            total.sent + part.sent,
            total.fetched + part.fetched,
        )
    return total
