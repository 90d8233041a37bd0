"""Wakes those who wait for what another node fetches."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cheesebox.ports import Key


class Expectation:
    """Waits for news of one key. What came since it was last waited for counts."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def fulfil(self) -> None:
        """Let go of who waits."""
        self._event.set()

    async def wait(self, patience: float) -> None:
        """Wait for news, for at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._event.wait()
        self._event.clear()


class News:
    """Who waits for news of which key."""

    def __init__(self) -> None:
        self._expected: dict[Key, set[Expectation]] = {}

    @contextmanager
    def expecting(self, key: Key) -> Iterator[Expectation]:
        """Begin to listen before looking, so that nothing is missed in between."""
        expectation = Expectation()
        self._expected.setdefault(key, set()).add(expectation)
        try:
            yield expectation
        finally:
            waiting = self._expected[key]
            waiting.discard(expectation)
            if not waiting:
                del self._expected[key]

    def tell(self, key: Key) -> None:
        """Tell those who wait for a key."""
        for expectation in self._expected.get(key, ()):
            expectation.fulfil()

    def tell_all(self) -> None:
        """Have everybody look again."""
        for key in self._expected:
            self.tell(key)

    def __len__(self) -> int:
        return len(self._expected)
