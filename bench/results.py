"""What was measured: rows with their targets, samples taken pair by pair, and the file that keeps them."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.lab import Lab

Sense = Literal[">=", "<="]
One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `target` None: told for comparison, nothing is promised."""

    id: str
    work: str
    against: str
    sense: Sense
    target: float | None
    unit: str = "×"
    quantity: str = "requests/s"


@dataclass(frozen=True, slots=True)
class Measurement:
    """`values` are compared with the target; `ours` and `theirs` gave them, in the row's quantity."""

    values: list[float]
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are measured together; `run` returns one measurement a row, in their order."""

    rows: tuple[Row, ...]
    run: Callable[[Lab], list[Measurement]]


@dataclass(frozen=True, slots=True)
class Result:
    """A row with its measurement, or with the reason why there is none."""

    row: Row
    measurement: Measurement | None = None
    failure: str = ""

    @property
    def median(self) -> float:
        assert self.measurement is not None
        return statistics.median(self.measurement.values)

    @property
    def verdict(self) -> str:
        if self.measurement is None:
            return "failed"
        if self.row.target is None:
            return "told"
        held = self.median >= self.row.target if self.row.sense == ">=" else self.median <= self.row.target
        return "pass" if held else "short"


def ratios(pairs: list[tuple[float, float]], **notes: Any) -> Measurement:
    """Return ours ÷ theirs of each pair."""
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return Measurement([one / other for one, other in pairs], ours, theirs, notes)


def in_turn(count: int, ours: Callable[[], One], theirs: Callable[[], One]) -> list[tuple[One, One]]:
    """Measure A B A B: `count` pairs, each side's turn right after the other's."""
    return [(ours(), theirs()) for _ in range(count)]


def save(path: Path, run: dict[str, Any], results: list[Result]) -> None:
    """Write everything measured as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(result), "verdict": result.verdict} for result in results]
    path.write_text(json.dumps({**run, "results": rows}, indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> tuple[dict[str, Any], list[Result]]:
    """Return what `save` wrote."""
    data = json.loads(path.read_text())
    results = [
        Result(
            Row(**item["row"]),
            Measurement(**item["measurement"]) if item["measurement"] else None,
            item["failure"],
        )
        for item in data.pop("results")
    ]
    return data, results
