"""Mirrors of one index: which is asked for an object, and when one that failed is asked again.

Rules of this module:
1. Mirrors are asked in the order of the setting. One that fails is left alone for a back-off.
2. After its back-off a mirror is on probation: a flight that nobody has to wait for (there is a
   stored copy) asks it in its old place, every other flight asks it last. So a mirror that has
   recovered is back with the next refresh, and a dead one costs no client its time.
3. A failure that comes while a mirror is left alone anyway does not lengthen its back-off: a hundred
   flights that fail at once are one failure.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cheesebox.cache.freshness import back_off
from cheesebox.errors import NotFound, UpstreamError, UpstreamStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cheesebox.cache.freshness import Policy
    from cheesebox.ports import Clock

T = TypeVar("T")
log = logging.getLogger(__name__)

_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Trouble:
    """Failures in a row of one mirror, and when it may be asked again."""

    failures: int
    retry_at: float


def order(count: int, troubles: Mapping[int, Trouble], now: float, *, probing: bool) -> tuple[int, ...]:
    """Give the numbers of all mirrors in the order in which they are to be asked.

    ``probing``: nobody has to wait, so mirrors on probation have their old place.
    """

    def rank(number: int) -> tuple[int, int]:
        trouble = troubles.get(number)
        if trouble is None:
            return 0, number
        if now < trouble.retry_at:
            return 2, number
        return (0 if probing else 1), number

    return tuple(sorted(range(count), key=rank))


def is_trouble(error: UpstreamError) -> bool:
    """Tell whether another mirror may do better: this one is away, too slow, or broken."""
    return not isinstance(error, UpstreamStatus) or error.upstream_status >= _SERVER_ERROR


class Mirrors:
    """How the mirrors of one index fare."""

    def __init__(self, count: int, policy: Policy, clock: Clock) -> None:
        self._count = count
        self._policy = policy
        self._clock = clock
        self._troubles: dict[int, Trouble] = {}

    def order(self, *, probing: bool = False) -> tuple[int, ...]:
        """Give the numbers of the mirrors in the order in which they are to be asked."""
        return order(self._count, self._troubles, self._clock(), probing=probing)

    def failed(self, number: int) -> None:
        """Leave a mirror alone for a while."""
        now = self._clock()
        known = self._troubles.get(number, Trouble(0, 0.0))
        if now >= known.retry_at:
            failures = known.failures + 1
            self._troubles[number] = Trouble(failures, now + back_off(failures, self._policy))

    def succeeded(self, number: int) -> None:
        """Forget its failures."""
        self._troubles.pop(number, None)

    def forgive(self) -> None:
        """Forget all failures."""
        self._troubles.clear()


@dataclass(frozen=True, slots=True)
class Mirrored:
    """One object at each mirror: URLs in the order of the setting."""

    urls: tuple[str, ...]
    mirrors: Mirrors

    async def ask(self, exchange: Callable[[str], Awaitable[T]], *, probing: bool = False) -> T:
        """Ask one mirror after the other until one answers; a 404 is an answer.

        Raises the last `UpstreamError`, or the first that is no trouble of a mirror.
        """
        turns = Turns(self, probing=probing)
        while True:
            try:
                result = await exchange(turns.url)
            except NotFound:
                turns.succeeded()
                raise
            except UpstreamError as error:
                if not is_trouble(error) or not turns.move_on(error):
                    raise
            else:
                turns.succeeded()
                return result


class Turns:
    """Whom one transfer asks: after a failure the next mirror, round and round."""

    def __init__(self, mirrored: Mirrored | str, *, probing: bool = False) -> None:
        self._mirrors = None if isinstance(mirrored, str) else mirrored.mirrors
        self._turns = [(0, mirrored)] if isinstance(mirrored, str) else _distinct(mirrored, probing)
        self._position = 0

    @property
    def url(self) -> str:
        """The URL to ask now."""
        return self._turns[self._position][1]

    def move_on(self, error: Exception) -> bool:
        """Go on to the next mirror; False when all have had their turn and the first is up again."""
        number, url = self._turns[self._position]
        if self._mirrors is not None and isinstance(error, UpstreamError) and is_trouble(error):
            self._mirrors.failed(number)
        self._position = (self._position + 1) % len(self._turns)
        if self._position:
            log.warning("%s fails, another mirror is asked: %s", url, error)
        return self._position != 0

    def succeeded(self) -> None:
        """Tell that the mirror of this turn is well."""
        if self._mirrors is not None:
            self._mirrors.succeeded(self._turns[self._position][0])


def _distinct(mirrored: Mirrored, probing: bool) -> list[tuple[int, str]]:  # noqa: FBT001 - passed on
    """Give number and URL of each turn; mirrors may share one file host."""
    turns: dict[str, int] = {}
    for number in mirrored.mirrors.order(probing=probing):
        turns.setdefault(mirrored.urls[number], number)
    return [(number, url) for url, number in turns.items()]
