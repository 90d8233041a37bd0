"""Counts since the start: of answers by index, kind and cache status, and of requests to upstreams."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.ports import Count, Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

UPSTREAM = "upstream"
"""The kind under which requests to upstreams are counted; their outcomes are `ANSWERED` and `FAILED`."""
ANSWERED, FAILED = "answered", "failed"


@dataclass(frozen=True, slots=True)
class Statistics:
    """What was counted, by tally."""

    tallies: Mapping[Tally, Count]

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

    def count(self, tally: Tally, size: int, answers: int = 1) -> None:
        """Count answers with ``size`` bytes of bodies in all."""
        self._answers[tally] += answers
        self._bytes[tally] += size

    def statistics(self) -> Statistics:
        """Give what was counted."""
        return Statistics({tally: Count(n, self._bytes[tally]) for tally, n in self._answers.items()})
