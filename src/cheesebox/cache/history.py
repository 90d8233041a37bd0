"""Counts by the hour, over restarts: what the ledger gained since the last look goes into this hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.ports import Count, HourCount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cheesebox.ports import Clock, History, Tally

HOUR = 3600
KEPT_HOURS = 35 * 24


def hour_of(now: float) -> int:
    """Give the start of the hour (UTC), in seconds since the epoch."""
    return int(now // HOUR) * HOUR


def gained(before: Mapping[Tally, Count], after: Mapping[Tally, Count]) -> dict[Tally, Count]:
    """Give what was counted between two looks."""
    nothing = Count(0, 0)
    differences = {
        tally: Count(
            count.answers - before.get(tally, nothing).answers, count.bytes - before.get(tally, nothing).bytes
        )
        for tally, count in after.items()
    }
    return {tally: count for tally, count in differences.items() if count != nothing}


class Recorder:
    """Writes what was counted since the last time into the history."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._noted: Mapping[Tally, Count] = {}
        self._pruned = 0

    def note(self, now: Mapping[Tally, Count]) -> None:
        """Write down what is new in ``now``, all that was counted since the start. Blocks.

        One caller at a time. Raises `StoreError`, and then it is tried again with the next. It takes
        the counts, not the ledger: that one belongs to the event loop, and this runs in a thread.
        """
        hour = hour_of(self._clock())
        gains = gained(self._noted, now)
        if gains:
            self._history.add([HourCount(hour, tally, count) for tally, count in gains.items()])
            self._noted = now
        if hour != self._pruned:
            self._history.prune(hour - KEPT_HOURS * HOUR)
            self._pruned = hour
