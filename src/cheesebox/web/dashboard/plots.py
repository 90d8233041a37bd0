"""Plots as geometry: what the template draws as SVG, with the same numbers as a table. Pure.

A plot is ``len(bars) * STEP`` wide and `HEIGHT` high, and is stretched to the room there is: so it holds
nothing but bars and lines, and all that is text stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cheesebox.web.dashboard import figures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cheesebox.web.dashboard.series import Bucket, Window

HEIGHT = 100
STEP = 10
_BAR = 8
_LEAST = 1.5
"""What there is at all can be seen."""
_DAY_HOURS = 24
_LEAST_SCALE = 1000
"""Bytes at the top of a plot that shows nothing."""


@dataclass(frozen=True, slots=True)
class Part:
    """One colour of a bar: ``look`` is the class that gives it."""

    look: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """What is drawn at one place, and what is said of it."""

    x: int
    parts: tuple[Part, ...]
    says: str


@dataclass(frozen=True, slots=True)
class Legend:
    """What a colour stands for."""

    look: str
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot with its words: ``top`` and ``middle`` at the lines there, ``ticks`` below, spread evenly."""

    name: str
    title: str
    description: str
    legend: tuple[Legend, ...]
    bars: tuple[Bar, ...]
    top: str
    middle: str
    ticks: tuple[str, ...]

    @property
    def width(self) -> int:
        """Give the width in its own units."""
        return max(1, len(self.bars)) * STEP


def ratio_plot(buckets: Sequence[Bucket], window: Window) -> Plot:
    """Plot the share of answers that came from the cache."""

    def parts(bucket: Bucket) -> tuple[Part, ...]:
        ratio = bucket.sums.ratio
        if ratio is None:
            return ()
        return _stacked((("part-hit", ratio * HEIGHT), ("part-miss", (1 - ratio) * HEIGHT)))

    def says(bucket: Bucket) -> str:
        sums = bucket.sums
        if sums.ratio is None:
            return "nothing asked"
        answers = figures.counted(sums.hits + sums.misses, "answer")
        return f"{figures.percent(sums.ratio)} of {answers}"

    legend = (Legend("part-hit", "from the cache"), Legend("part-miss", "from upstream"))
    bars = _bars(buckets, window, parts, says)
    return Plot(
        "ratio", "Hit ratio", _ratio_in_words(buckets), legend, bars, "100 %", "50 %", _ticks(buckets, window)
    )


def bytes_plot(buckets: Sequence[Bucket], window: Window) -> Plot:
    """Plot what was saved, on top of what was fetched."""
    most = ceiling(max(_LEAST_SCALE, *(b.sums.saved + b.sums.fetched for b in buckets)))

    def parts(bucket: Bucket) -> tuple[Part, ...]:
        scale = HEIGHT / most
        return _stacked(
            (("part-fetched", bucket.sums.fetched * scale), ("part-saved", bucket.sums.saved * scale))
        )

    def says(bucket: Bucket) -> str:
        return f"{figures.size(bucket.sums.saved)} saved, {figures.size(bucket.sums.fetched)} fetched"

    legend = (Legend("part-saved", "saved"), Legend("part-fetched", "fetched from upstream"))
    saved, fetched = (sum(b.sums.saved for b in buckets), sum(b.sums.fetched for b in buckets))
    in_words = f"{figures.size(saved)} saved and {figures.size(fetched)} fetched in the {window.label} shown."
    return Plot(
        "bytes",
        "Bytes saved",
        in_words,
        legend,
        _bars(buckets, window, parts, says),
        figures.size(most),
        figures.size(most / 2),
        _ticks(buckets, window),
    )


def label(start: int, window: Window) -> str:
    """Name the time that a bar stands for, in UTC."""
    at = datetime.fromtimestamp(start, UTC)
    if window.hours >= _DAY_HOURS:
        return f"{at:%b} {at.day}"
    return f"{at:%H:%M}" if window.hours == 1 else f"{at:%b} {at.day}, {at:%H:%M}"


def ceiling(value: float) -> float:
    """Give the smallest 1, 2 or 5 times a power of ten that is not below a value (and not below 1)."""
    power = 1.0
    while power * 10 <= value:
        power *= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _bars(
    buckets: Sequence[Bucket],
    window: Window,
    parts: Callable[[Bucket], tuple[Part, ...]],
    says: Callable[[Bucket], str],
) -> tuple[Bar, ...]:
    return tuple(
        Bar(
            number * STEP + (STEP - _BAR) // 2,
            parts(bucket),
            f"{label(bucket.start, window)}: {says(bucket)}",
        )
        for number, bucket in enumerate(buckets)
    )


def _stacked(heights: Sequence[tuple[str, float]]) -> tuple[Part, ...]:
    """Put the parts of a bar on top of each other, the first one lowest."""
    parts: list[Part] = []
    base = float(HEIGHT)
    for look, height in heights:
        if height > 0:
            drawn = min(max(height, _LEAST), base)
            base -= drawn
            parts.append(Part(look, round(base, 2), round(drawn, 2)))
    return tuple(parts)


def _ticks(buckets: Sequence[Bucket], window: Window) -> tuple[str, ...]:
    """Name the first bar and the one in the middle; the last one is now."""
    if not buckets:
        return ()
    return (label(buckets[0].start, window), label(buckets[len(buckets) // 2].start, window), "now")


def _ratio_in_words(buckets: Sequence[Bucket]) -> str:
    ratios = [bucket.sums.ratio for bucket in buckets if bucket.sums.ratio is not None]
    if not ratios:
        return "Nothing was asked in this time."
    hits = sum(bucket.sums.hits for bucket in buckets)
    answers = hits + sum(bucket.sums.misses for bucket in buckets)
    return (
        f"{figures.percent(hits / answers)} of {figures.counted(answers, 'answer')} came from the cache; "
        f"between {figures.percent(min(ratios))} and {figures.percent(max(ratios))} a bar."
    )
