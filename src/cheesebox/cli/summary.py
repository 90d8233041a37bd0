"""What a run got from where, as a table."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from cheesebox.units import human_size

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOURCES = {
    "cache": frozenset({"HIT", "UPDATING", "REVALIDATED"}),
    "stale": frozenset({"STALE"}),
    "upstream": frozenset({"MISS", "EXPIRED", "BYPASS"}),
}


def source_of(status: str) -> str | None:
    """Tell where an answer with this cache status came from; None for answers of cheesebox's own."""
    return next((source for source, statuses in _SOURCES.items() if status in statuses), None)


def summarise(answers: Mapping[tuple[str, str], tuple[int, int]]) -> dict[tuple[str, str], tuple[int, int]]:
    """Sum up counts and bytes by (kind, source)."""
    counts: Counter[tuple[str, str]] = Counter()
    sizes: Counter[tuple[str, str]] = Counter()
    for (kind, status), (count, size) in answers.items():
        if (source := source_of(status)) is not None:
            counts[kind, source] += count
            sizes[kind, source] += size
    return {key: (counts[key], sizes[key]) for key in counts}


def summary(answers: Mapping[tuple[str, str], tuple[int, int]]) -> Table | str:
    """Give a table with a row for each kind and a column for each source, or say that there is nothing."""
    sums = summarise(answers)
    if not sums:
        return "cheesebox: nothing was asked of the cache"
    table = Table(title="cheesebox", title_justify="left", box=box.SIMPLE)
    table.add_column("kind")
    for source in _SOURCES:
        table.add_column(source if source == "stale" else f"from {source}", justify="right")
    for kind in sorted({kind for kind, _ in sums}):
        table.add_row(kind, *(_cell(*sums.get((kind, source), (0, 0))) for source in _SOURCES))
    return table


def _cell(count: int, size: int) -> str:
    return f"{count}  {human_size(size)}" if count else "–"
