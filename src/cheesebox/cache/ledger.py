"""Counts since the start: of answers by index, kind and cache status, and of requests to upstreams."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cheesebox.ports import Count, Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

UPSTREAM = "upstream"
"""The kind under which requests to upstreams are counted; their outcomes are `ANSWERED` and `FAILED`."""
ANSWERED, FAILED = "answered", "failed"


@dataclass(frozen=True, slots=True)
class Statistics:
    """What was counted, by tally; and how many answers had each HTTP status."""

    tallies: Mapping[Tally, Count]
    codes: Mapping[int, int] = field(default_factory=dict)

    @property
    def answers(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Give (kind, cache status) to (count, bytes of bodies), over all indexes."""
        sums: dict[tuple[str, str], tuple[int, int]] = {}
        for tally, count in self.tallies.items():
            if tally.kind != UPSTREAM:
                answers, size = sums.get((tally.kind, tally.outcome), (0, 0))
                sums[tally.kind, tally.outcome] = (answers + count.answers, size + count.bytes)
        return sums


class Ledger:
    """Counts as things happen, on the event loop."""

    def __init__(self) -> None:
        self._answers: Counter[Tally] = Counter()
        self._bytes: Counter[Tally] = Counter()
        self._codes: Counter[int] = Counter()

    def count(self, tally: Tally, size: int, answers: int = 1) -> None:
        """Count answers with ``size`` bytes of bodies in all."""
        self._answers[tally] += answers
        self._bytes[tally] += size

    def count_code(self, code: int, answers: int = 1) -> None:
        """Count answers with this HTTP status."""
        if answers:
            self._codes[code] += answers

    def statistics(self) -> Statistics:
        """Give what was counted."""
        tallies = {tally: Count(n, self._bytes[tally]) for tally, n in self._answers.items()}
        return Statistics(tallies, dict(self._codes))
