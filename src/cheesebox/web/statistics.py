"""Counts of answers since the start, by kind and cache status."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Statistics:
    """``answers``: (kind, cache status) to (count, bytes of bodies)."""

    answers: Mapping[tuple[str, str], tuple[int, int]]


class AnswerCounter:
    """Counts answers as they go out."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._bytes: Counter[tuple[str, str]] = Counter()

    def count(self, kind: str, cache: str, size: int, answers: int = 1) -> None:
        """Count answers with ``size`` bytes of bodies in all."""
        self._counts[kind, cache] += answers
        self._bytes[kind, cache] += size

    def statistics(self) -> Statistics:
        """Give what was counted."""
        return Statistics({key: (count, self._bytes[key]) for key, count in self._counts.items()})
