"""Sums over counted answers: hits, misses, what was saved. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.cache.ledger import UPSTREAM

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cheesebox.ports import Count, Tally

HITS = frozenset({"HIT", "UPDATING", "REVALIDATED", "STALE"})
MISSES = frozenset({"MISS", "EXPIRED", "BYPASS"})
STALE = frozenset({"STALE"})


@dataclass(frozen=True, slots=True)
class Sums:
    """``sent`` and ``fetched`` in bytes; stale answers are hits too."""

    hits: int = 0
    misses: int = 0
    stale: int = 0
    sent: int = 0
    fetched: int = 0

    @property
    def saved(self) -> int:
        """Bytes that clients got beyond what upstreams were asked for."""
        return max(0, self.sent - self.fetched)

    @property
    def ratio(self) -> float | None:
        """The share of answers that came from the cache; None when there were none."""
        answers = self.hits + self.misses
        return self.hits / answers if answers else None


def summed(counts: Iterable[tuple[Tally, Count]]) -> Sums:
    """Sum up; answers without a cache status (errors, own endpoints) do not count."""
    hits = misses = stale = sent = fetched = 0
    for tally, count in counts:
        if tally.kind == UPSTREAM:
            fetched += count.bytes
            continue
        is_hit = tally.outcome in HITS
        hits += count.answers if is_hit else 0
        misses += count.answers if tally.outcome in MISSES else 0
        stale += count.answers if tally.outcome in STALE else 0
        sent += count.bytes if is_hit or tally.outcome in MISSES else 0
    return Sums(hits, misses, stale, sent, fetched)
