"""What the server needs to answer repeated requests by itself: ready answers, and who counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cheesebox.cache.freshness import Verdict
from cheesebox.web.access_log import Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.cache.ledger import Ledger
    from cheesebox.ports import Clock, Key
    from cheesebox.web.access_log import AccessLog
    from cheesebox.web.hot import HotTable, Negotiated, ReadyAnswer

_HIT = Verdict.HIT.value
_OK, _NOT_MODIFIED = 200, 304


class Known(Protocol):
    """Knows who has been let in."""

    def knows(self, authorization: bytes | None) -> bool:
        """Tell whether this very ``Authorization`` field has been let in before."""
        ...


def facts_of(status: int, size: int, method: str, path: str, client: str) -> Facts:
    """Give what the log says of a ready answer."""
    return Facts(status, _HIT, 0.0, size, method, path, client)


class HotLane:
    """Finds ready answers and keeps account of those that were given."""

    def __init__(
        self,
        table: HotTable,
        ledger: Ledger,
        access_log: AccessLog | None,
        touch: Callable[[Key, float, int], None],
        clock: Clock,
        door: Known | None = None,
    ) -> None:
        """``door`` knows who may have an answer; None: everybody may."""
        self.table = table
        self._door = door
        self._ledger = ledger
        self._access_log = access_log
        self._touch = touch
        self._clock = clock
        self._used: list[ReadyAnswer] = []
        self._not_modified = 0

    def admits(self, authorization: bytes | None) -> bool:
        """Tell whether a request with this ``Authorization`` field may be answered here."""
        return self._door is None or self._door.knows(authorization)

    def find(self, target: bytes, negotiated: Negotiated) -> tuple[ReadyAnswer, int] | None:
        """Give a ready answer that holds, and its remaining freshness lifetime in seconds."""
        ready = self.table.find(target, negotiated)
        if ready is None:
            return None
        remaining = ready.source.remaining()
        if remaining is None:
            self.table.drop(target)
            return None
        return ready, remaining

    def holds(self, ready: ReadyAnswer) -> int | None:
        """Give the remaining freshness lifetime in seconds of an answer that `find` gave before.

        None when it does not hold any more.
        """
        return ready.source.remaining() if ready.is_held else None

    def given(self, ready: ReadyAnswer, facts: Facts) -> None:
        """Note that a ready answer was given."""
        if not ready.hits:
            self._used.append(ready)
        ready.hits += 1
        ready.sent += facts.bytes
        if facts.status == _NOT_MODIFIED:
            self._not_modified += 1
        if self._access_log is not None:
            self._access_log.write((self._clock(), facts))

    def settle(self) -> None:
        """Hand the counted uses to the statistics, and to the catalogue for its order of eviction."""
        used, self._used = self._used, []
        now = self._clock()
        self._ledger.count_code(_OK, sum(ready.hits for ready in used) - self._not_modified)
        self._ledger.count_code(_NOT_MODIFIED, self._not_modified)
        self._not_modified = 0
        for ready in used:
            self._ledger.count(ready.tally, ready.sent, ready.hits)
            self._touch(ready.key, now, ready.hits)
            self.table.used(ready)
            ready.hits = ready.sent = 0
