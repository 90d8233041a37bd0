"""Calls to the server: bounded in time and number, counted, their errors translated."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cheesebox.adapters.bounds import answered_within
from cheesebox.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from cheesebox.adapters.valkey.connecting import Opened
    from cheesebox.adapters.valkey.scripts import Script

_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RegisterStatistics:
    """How many calls there were, and how many of them failed, by operation."""

    operations: Mapping[str, int]
    errors: Mapping[str, int]


class Calls:
    """The way to the server.

    ``common`` are the first arguments of all scripts. ``connections`` is how many calls are under way at
    once; others wait, and their wait is part of the time that a call may take.
    """

    def __init__(
        self,
        opened: Opened,
        scripts: Mapping[str, Script],
        prefix: str,
        common: tuple[int, ...],
        connections: int,
    ) -> None:
        self.where = opened.where
        self.prefix = prefix
        self._opened = opened
        self._scripts = scripts
        self._common = common
        self._places = asyncio.Semaphore(connections)
        self._operations: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()

    def statistics(self) -> RegisterStatistics:
        """Give what was counted so far."""
        return RegisterStatistics(dict(self._operations), dict(self._errors))

    async def script(self, name: str, *args: str | bytes | int) -> Any:
        """Run a script in one step of the server. It may run twice, if the first answer was lost."""
        script = self._scripts[name]
        following = (1, self.prefix, *self._common, *args)
        async with self._bounded(name), self._places:
            try:
                return await self._sent("EVALSHA", script.digest, *following)
            except self._opened.unknown_script:  # the server was restarted, or another one took over
                return await self._sent("EVAL", script.text, *following)

    async def command(self, name: str, *args: str | bytes | int) -> Any:
        """Send a command; it may run twice, if the first answer was lost."""
        async with self._bounded(name), self._places:
            return await self._sent(*args)

    async def listen(self, *args: str | bytes | int) -> Any:
        """Send a command that waits on the server, beside all others; a lost connection is an error."""
        async with self._bounded("changes"):
            return await self._opened.client.execute_command(*args)

    async def close(self) -> None:
        """Let go of connections; idempotent."""
        async with self._bounded("close"):
            await self._opened.client.aclose()

    async def _sent(self, *args: str | bytes | int) -> Any:
        try:
            return await self._opened.client.execute_command(*args)
        except self._opened.lost:  # a server that was restarted leaves broken connections in the pool
            return await self._opened.client.execute_command(*args)

    @asynccontextmanager
    async def _bounded(self, name: str) -> AsyncIterator[None]:
        self._operations[name] += 1
        try:
            async with answered_within(_SECONDS):
                yield
        except TimeoutError:
            self._errors[name] += 1
            raise EngineError(f"{self.where} did not answer in {_SECONDS:g} s") from None
        except self._opened.failures as error:
            self._errors[name] += 1
            raise EngineError(f"{self.where}: {str(error).rstrip('.')}") from error
