"""Results as text: one way to write a figure, for the terminal and for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from bench.peers import PEERS

if TYPE_CHECKING:
    from bench.results import Result

COLOURS = {"pass": "green", "short": "yellow", "failed": "red", "told": "dim"}
WORDS = {"pass": "pass", "short": "falls short", "failed": "failed", "told": "–"}


def table(results: list[Result]) -> Table:
    """Return the terminal's table."""
    view = Table("row", "work", "against", "ours", "theirs", "median [min … max]", "target", "")
    for result in results:
        view.add_row(result.row.id, *cells(result), style=COLOURS[result.verdict])
    return view


def cells(result: Result) -> tuple[str, ...]:
    """Return work, peer, ours, theirs, median with spread, target, verdict."""
    row, measured = result.row, result.measurement
    against = PEERS[row.against].title if row.against in PEERS else row.against
    target = (
        "" if row.target is None else f"{'≥' if row.sense == '>=' else '≤'} {figure(row.target)} {row.unit}"
    )
    if measured is None:
        return (row.work, against, "", "", result.failure[:60], target, WORDS["failed"])
    sides = (_side(measured.ours, row.quantity), _side(measured.theirs, row.quantity))
    return (row.work, against, *sides, spread(result), target, WORDS[result.verdict])


def spread(result: Result) -> str:
    """Return the median with least and most, in the row's unit."""
    assert result.measurement is not None
    values = result.measurement.values
    middle = f"{figure(result.median)} {result.row.unit}"
    return middle if len(values) == 1 else f"{middle} [{figure(min(values))} … {figure(max(values))}]"


def figure(value: float) -> str:
    """Return three significant digits, thousands set apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def _side(values: list[float], quantity: str) -> str:
    if not values:
        return ""
    middle = sorted(values)[len(values) // 2]
    if quantity == "bytes/s":
        return f"{figure(middle / 1e6)} MB/s"
    return f"{figure(middle)} {quantity}"
