"""Keeps what is costly to look at for a while, so that many who look cost one look."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cheesebox.ports import Clock

T = TypeVar("T")


class Memo(Generic[T]):
    """One value, made anew when it is older than ``seconds``; those who come meanwhile wait for it.

    A failure is told to the one who met it, and is not kept: the next one in line tries again.
    """

    def __init__(self, make: Callable[[], Awaitable[T]], clock: Clock, seconds: float) -> None:
        self._make = make
        self._clock = clock
        self._seconds = seconds
        self._kept: tuple[float, T] | None = None
        self._turn = asyncio.Lock()

    async def get(self) -> T:
        """Give the value; raises what making it raises."""
        async with self._turn:
            now = self._clock()
            if self._kept is None or not 0 <= now - self._kept[0] < self._seconds:  # a clock may be set back
                self._kept = (now, await self._make())
            return self._kept[1]
