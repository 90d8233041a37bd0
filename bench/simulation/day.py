"""When requests come: more in working hours, and in a burst when scheduled jobs start on the hour."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

HOUR = 3600.0
MINUTE = 60.0
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Shape:
    """How uneven a day is.

    ``bursts``: the share of requests that scheduled jobs make in the first minutes of each hour; what they
    ask falls by half each ``burst_half`` seconds. ``swing``: by what share of the mean the rest is higher at
    14 h, and lower at 2 h.
    """

    bursts: float = 0.25
    burst_half: float = 120.0
    swing: float = 0.6


class Day:
    """The load over a day as a clock of its own: it runs fast when much is asked, a day long in a day.

    In its time requests come evenly, so that a Poisson process is drawn there and brought back by `when`.
    """

    def __init__(self, shape: Shape) -> None:
        within: list[float] = [0.5 ** (minute * MINUTE / shape.burst_half) for minute in range(60)]
        burst = [60 * part / sum(within) for part in within]
        self.rates: tuple[float, ...] = tuple(
            shape.bursts * burst[minute % 60]
            + (1 - shape.bursts) * (1 + shape.swing * math.cos((minute / 60 - 14) * math.tau / 24))
            for minute in range(1440)
        )
        self._loads: list[float] = [0.0, *accumulate(rate * MINUTE for rate in self.rates)]

    @property
    def peak(self) -> float:
        """Give the load of the busiest minute next to the mean."""
        return max(self.rates)

    def load(self, at: float) -> float:
        """Give its time at a time, both in seconds since midnight."""
        days, rest = divmod(at, DAY)
        minute = min(int(rest // MINUTE), 1439)
        return days * DAY + self._loads[minute] + (rest - minute * MINUTE) * self.rates[minute]

    def when(self, load: float) -> float:
        """Give the time at which it shows this time."""
        days, rest = divmod(load, DAY)
        minute = min(bisect_right(self._loads, rest) - 1, 1439)
        return days * DAY + minute * MINUTE + (rest - self._loads[minute]) / self.rates[minute]
