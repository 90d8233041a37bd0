"""Tells the register which bodies are in use: of each node at most once an hour for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.errors import EngineError

if TYPE_CHECKING:
    from cheesebox.commons.commons import Commons
    from cheesebox.ports import Clock, Key

_HOUR = 3600
_MOST = 1_000_000
"""Keys remembered; beyond that some are told twice."""


class Uses:
    """Gathers keys, and tells them in batches."""

    def __init__(self, commons: Commons, clock: Clock) -> None:
        self._commons = commons
        self._clock = clock
        self._hour = 0
        self._told: set[Key] = set()
        self._waiting: set[Key] = set()

    def note(self, key: Key) -> None:
        """Note a use. O(1)."""
        if key not in self._told:
            self._waiting.add(key)

    async def tell(self) -> None:
        """Tell what has gathered; what cannot be told now waits for the next time."""
        self._begin_hour()
        waiting, self._waiting = self._waiting, set()
        if not waiting:
            return
        try:
            with self._commons.register_health.watching():
                await self._commons.register.touch(waiting)
        except EngineError:
            if len(self._waiting) < _MOST:
                self._waiting |= waiting
        else:
            self._told |= waiting

    def _begin_hour(self) -> None:
        hour = int(self._clock() // _HOUR)
        if hour != self._hour or len(self._told) > _MOST:
            self._hour = hour
            self._told.clear()
