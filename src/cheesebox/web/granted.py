"""What the keeper lets a worker do by itself: repeat answers for a while, let people in again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cheesebox.cache.terms import Terms
    from cheesebox.ports import Clock
    from cheesebox.web.crossing import Offer

_MOST_REMEMBERED = 4096


@dataclass(frozen=True, slots=True, eq=False)
class GrantedLease:
    """How long an offered answer holds. ``counts`` is the board, which the keeper writes."""

    offer: Offer
    counts: memoryview
    clock: Clock

    def remaining(self) -> int | None:
        """Whole seconds of freshness lifetime left, or None when the keeper must be asked."""
        offer, counts = self.offer, self.counts
        for slot, seen in offer.seen:
            if counts[slot] != seen:
                return None
        now = self.clock()
        left = offer.ends - now
        if left <= 0 or now < offer.since:
            return None
        return int(min(left, offer.most))

    def terms(self) -> Terms | None:
        """Tell nobody: what is granted is not passed on."""
        return None


class GrantedAccess:
    """The ``Authorization`` fields that the keeper has let in, until other people may come in."""

    def __init__(self, counts: memoryview, slot: int) -> None:
        self._counts = counts
        self._slot = slot
        self._seen = counts[slot]
        self._known: set[bytes] = set()

    @property
    def state(self) -> int:
        """What the board says of who may come in, to be read before the keeper is asked."""
        return int(self._counts[self._slot])

    def knows(self, authorization: bytes | None) -> bool:
        """Tell whether this very header field has been let in."""
        return authorization in self._known and self._seen == self._counts[self._slot]

    def remember(self, authorization: bytes, state: int) -> None:
        """Note a field that was let in by a keeper asked in this state."""
        if state != self._seen or len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
            self._seen = state
        self._known.add(authorization)
