"""The last few noteworthy things, for those who look later: log records of troubles, stale answers."""

from __future__ import annotations

import logging
from collections import deque
from typing import NamedTuple

_KEPT = 200
_STALE = "stale"


class Event(NamedTuple):
    """Something worth a look; ``at`` in seconds since the epoch, ``level`` as in the log, or ``stale``."""

    at: float
    level: str
    text: str


class Recent(logging.Handler):
    """Keeps the last warnings and errors of the package, and the last stale answers. Thread-safe.

    A repeated text is kept once, with its last moment: one failing upstream must not push out all else.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._events: deque[Event] = deque(maxlen=_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a log record."""
        self._keep(Event(record.created, record.levelname.lower(), record.getMessage()))

    def stale(self, at: float, path: str) -> None:
        """Keep a stale answer."""
        with self.lock:  # type: ignore[union-attr] # a handler has one from its construction on
            self._keep(Event(at, _STALE, path))

    def _keep(self, event: Event) -> None:
        for number, kept in enumerate(self._events):
            if (kept.level, kept.text) == (event.level, event.text):
                del self._events[number]
                break
        self._events.append(event)

    def events(self) -> list[Event]:
        """Give what is kept, the latest first."""
        with self.lock:  # type: ignore[union-attr] # as above
            return list(reversed(self._events))
