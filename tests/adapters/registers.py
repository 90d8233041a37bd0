"""Where registers live in tests: in memory, or on a server that is started for them."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Protocol

from cheesebox.adapters.valkey_register import ValkeyRegister, open_register
from cheesebox.commons.hours import Hour
from cheesebox.engines import ObjectName, Record
from cheesebox.ports import Entry, Key, Kind
from tests.fakes.register import FakeRegister, FakeRegisterState, SteppedTime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cheesebox.engines import Change, Register, Token
    from tests.engines.valkey import ValkeyServer


def record_of(key: Key, token: Token, *, size: int = 10, name: str = "", validated_at: float = 0.0) -> Record:
    entry = Entry(key, Kind.FILE, size, "sha256:00", f"https://up.example/{key}", validated_at=validated_at)
    return Record(entry, ObjectName(name or f"{key}/{size}.{token}"))


class Listening:
    """Hears of changes; the next one is waited for already."""

    def __init__(self, changes: AsyncIterator[Change]) -> None:
        self._changes = changes
        self._next = asyncio.ensure_future(anext(changes))

    async def next(self) -> Change:
        change = await self._next
        self._next = asyncio.ensure_future(anext(self._changes))
        return change

    async def has_heard(self, within: float) -> bool:
        """Tell whether the next change, or error, comes so soon (seconds)."""
        done, _ = await asyncio.wait([self._next], timeout=within)
        return bool(done)

    async def stop(self) -> None:
        self._next.cancel()
        await asyncio.wait([self._next])


async def closed_at_the_end(register: Register) -> None:
    """Wait for the end of the test, which cancels all that is left in its loop."""
    try:
        await asyncio.Event().wait()
    finally:
        await register.close()


async def begun(register: ValkeyRegister) -> Listening:
    """Listen to a server; changes from now on are not missed."""
    listening = Listening(register.changes())
    while register._changes._at is None and not await listening.has_heard(within=0):  # noqa: ASYNC110 - it tells nobody when it has begun
        await asyncio.sleep(0.005)
    return listening


class Place(Protocol):
    """One namespace that registers share, what happens to it, and time."""

    grace: float
    changes_kept: int

    def clock(self) -> float: ...
    def register(
        self, node_url: str = "", *, lease_seconds: float = 10.0, clock_ahead: float = 0.0
    ) -> Register: ...
    async def passes(self, seconds: float) -> None:
        """Let time pass."""
        ...

    async def listen(self, register: Register) -> Listening:
        """Begin to hear of changes; those after this call are not missed."""
        ...

    async def unused(self, key: Key, hours: int) -> None:
        """Have it that a record was used so many hours earlier."""
        ...

    async def lose_connections(self, listening: Listening) -> None:
        """Have the connections break, also of one who listens and has nothing left to hear."""
        ...

    async def lose_everything(self) -> None: ...
    async def goes_down(self) -> None: ...


class MemoryPlace:
    """A `FakeRegisterState` and its nodes."""

    def __init__(self) -> None:
        self.grace = 600.0
        self.changes_kept = 10_000
        self.clock = SteppedTime()
        self.state = FakeRegisterState(clock=self.clock)

    def register(
        self, node_url: str = "", *, lease_seconds: float = 10.0, clock_ahead: float = 0.0
    ) -> Register:
        self.state.grace = self.grace
        self.state.changes_kept = self.changes_kept
        clock = lambda: self.clock() + clock_ahead  # noqa: E731 - a clock is a callable, this one is skewed
        return FakeRegister(self.state, clock, node_url=node_url, lease_seconds=lease_seconds)

    async def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def listen(self, register: Register) -> Listening:
        listening = Listening(register.changes())
        for _ in range(5):
            await asyncio.sleep(0)
        return listening

    async def unused(self, key: Key, hours: int) -> None:
        kept = self.state.kept[key]
        kept.hour = Hour(kept.hour - hours)

    async def lose_connections(self, listening: Listening) -> None:
        assert not await listening.has_heard(within=0)
        self.state.lose_connections()

    async def lose_everything(self) -> None:
        self.state.lose_everything()

    async def goes_down(self) -> None:
        self.state.down = True


class ServerPlace:
    """A namespace of a real server."""

    def __init__(self, server: ValkeyServer) -> None:
        self.grace = 600.0
        self.changes_kept = 10_000
        self.namespace = secrets.token_hex(8)
        self._server = server
        self._closing: set[asyncio.Task[None]] = set()

    def clock(self) -> float:
        return time.time()

    def register(
        self, node_url: str = "", *, lease_seconds: float = 10.0, clock_ahead: float = 0.0
    ) -> ValkeyRegister:
        register = open_register(
            self._server.url,
            self.namespace,
            lambda: time.time() + clock_ahead,
            node_url=node_url,
            lease_seconds=lease_seconds,
            grace=self.grace,
            changes_kept=self.changes_kept,
        )
        self._closing.add(asyncio.ensure_future(closed_at_the_end(register)))
        return register

    def key(self, name: str) -> str:
        """Give a key of the server."""
        return f"{{cheesebox:{self.namespace}}}:{name}"

    async def passes(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def listen(self, register: Register) -> Listening:
        assert isinstance(register, ValkeyRegister)
        return await begun(register)

    async def unused(self, key: Key, hours: int) -> None:
        with self._server.client() as client:
            hour = int(client.hget(self.key(f"o:{key}"), "hour"))
            before = hour - hours
            client.smove(self.key(f"used:{hour}"), self.key(f"used:{before}"), key)
            client.zadd(self.key("hours"), {str(before): before})
            client.hset(self.key(f"o:{key}"), "hour", before)

    async def lose_connections(self, listening: Listening) -> None:
        while not await listening.has_heard(within=0.05):  # it may have been between two connections
            self._server.lose_connections()

    async def lose_everything(self) -> None:
        self._server.command("FLUSHALL")

    async def goes_down(self) -> None:
        self._server.kill()
