"""One line a request: what was asked, what came of it, and whether it came from the cache.

Lines are gathered and written in batches: formatting and writing each by itself would cost more than
answering from memory does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

Sink = Callable[["Sequence[Access]"], None]
"""Takes a batch of accesses."""

_FLUSH_AFTER = 0.25
_BATCH = 500

log = logging.getLogger("cheesebox.access")


class Facts(NamedTuple):
    """What there is to say of an answer, but when: ``ms`` until its end, ``bytes`` of its body.

    Repeated answers share one object, so that its line is written once and copied from then on.
    """

    status: int
    cache: str
    ms: float
    bytes: int
    method: str
    path: str
    client: str


Access = tuple[float, Facts]
"""When a request was answered (seconds since the epoch), and what there is to say of it."""


class AccessLog:
    """Gathers accesses and hands them to the sink, at the latest after a quarter of a second."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._gathered: list[Access] = []
        self._timer: asyncio.TimerHandle | None = None

    def write(self, access: Access) -> None:
        """Take one access in."""
        self._gathered.append(access)
        if len(self._gathered) >= _BATCH:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_AFTER, self.flush)

    def flush(self) -> None:
        """Hand over what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._sink(gathered)


def to_logger(batch: Sequence[Access]) -> None:
    """Log each access through the logger ``cheesebox.access``, with its parts as attributes."""
    for access in batch:
        _, facts = access
        log.info("%s %s %s", facts.method, facts.path, facts.status, extra={"access": access})
