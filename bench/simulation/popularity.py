"""How often each project is asked for: Zipf's law in two pieces, fitted to public download counts.

`downloads.csv` holds 36 ranks with the downloads of 30 days in 2025. They are from the list of the 15,000
most downloaded projects that Hugo van Kemenade publishes as top-pypi-packages, made of the public index's
own download records. The copy that was read bears no date; its counts are above those of March 2025. Ranks
past 100 are right within 1 %.

One exponent does not fit: the head falls slowly, what comes after it faster. So there are two, with the knee
where the squared error of the logarithms is least.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

DOWNLOADS = Path(__file__).with_name("downloads.csv")
PROJECTS = 800_000
"""About as many projects as the public index lists."""


@dataclass(frozen=True, slots=True)
class Zipf:
    """Popularity proportional to rank^-head up to the knee, and to rank^-tail after it."""

    head: float
    tail: float
    knee: float

    def weight(self, rank: float) -> float:
        """Give the popularity next to that of rank 1."""
        if rank <= self.knee:
            return float(rank**-self.head)
        return float(self.knee**-self.head * (rank / self.knee) ** -self.tail)


@dataclass(frozen=True, slots=True)
class Popularity:
    """The shares of all requests that go to ranks 1, 2, …; they fall and add up to 1."""

    shares: tuple[float, ...]

    @classmethod
    def of(cls, law: Zipf, projects: int) -> Popularity:
        """Build it for so many projects."""
        weights = [law.weight(rank) for rank in range(1, projects + 1)]
        total = math.fsum(weights)
        return cls(tuple(weight / total for weight in weights))

    def cumulative(self) -> list[float]:
        """Give the sums of the first shares, as `random.choices` takes them."""
        return list(accumulate(self.shares))


def read_downloads(path: Path = DOWNLOADS) -> list[tuple[int, int]]:
    """Give ranks with downloads, by rank."""
    with path.open(newline="") as lines:
        return [(int(row["rank"]), int(row["downloads"])) for row in csv.DictReader(lines)]


def fit(points: list[tuple[int, int]]) -> Zipf:
    """Fit both exponents and the knee: least squares of logarithms, the pieces meeting at the knee."""
    logs = [(math.log(rank), math.log(count)) for rank, count in points]
    knees = [math.log(50) + step * 0.05 for step in range(90)]
    best = min((_solve(logs, knee) for knee in knees), key=lambda solved: solved[0])
    return Zipf(head=-best[1], tail=-best[2], knee=math.exp(best[3]))


def _solve(logs: list[tuple[float, float]], knee: float) -> tuple[float, float, float, float]:
    """Give squared error, both slopes and the knee for log count = a + b·min(x, k) + c·max(x - k, 0)."""
    rows = [(1.0, min(x, knee), max(x - knee, 0.0)) for x, _ in logs]
    values = [y for _, y in logs]
    sums = [[math.fsum(r[i] * r[j] for r in rows) for j in range(3)] for i in range(3)]
    right = [math.fsum(r[i] * y for r, y in zip(rows, values, strict=True)) for i in range(3)]
    whole = _determinant(sums)
    if abs(whole) < 1e-9:
        return math.inf, 0.0, 0.0, knee
    a, b, c = (_determinant(_replaced(sums, column, right)) / whole for column in range(3))
    error = math.fsum((a + b * r[1] + c * r[2] - y) ** 2 for r, y in zip(rows, values, strict=True))
    return error, b, c, knee


def _replaced(matrix: list[list[float]], column: int, values: list[float]) -> list[list[float]]:
    """Put a column in place of another (Cramer's rule)."""
    return [
        [value if j == column else cell for j, cell in enumerate(row)]
        for row, value in zip(matrix, values, strict=True)
    ]


def _determinant(m: list[list[float]]) -> float:
    return (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    )
