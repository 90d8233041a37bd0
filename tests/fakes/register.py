"""A register in memory: several nodes share one `FakeRegisterState`, which tells time by its own clock."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cheesebox.commons.hours import Hour, hour_of, is_unused
from cheesebox.engines import (
    Absent,
    Change,
    Claim,
    Granted,
    Known,
    Lease,
    Missed,
    Published,
    Record,
    Removed,
    Selected,
    Taken,
    Token,
)
from cheesebox.errors import EngineError
from cheesebox.ports import Totals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from cheesebox.engines import ObjectName
    from cheesebox.ports import Clock, Key


class SteppedTime:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class _Held:
    token: Token
    holder: str
    until: float


@dataclass
class _Kept:
    """A record as the server has it: its times are the server's."""

    record: Record
    token: Token
    hour: Hour


@dataclass
class FakeRegisterState:
    """What the server knows. ``clock`` is the server's.

    ``down`` makes every call raise `EngineError`; calls wait while ``open`` is cleared; ``asked`` lists
    the names of the calls that were made.
    """

    clock: Clock = field(default_factory=SteppedTime)
    grace: float = 600.0
    changes_kept: int = 10_000
    down: bool = False
    open: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)
    kept: dict[Key, _Kept] = field(default_factory=dict)
    leases: dict[Key, _Held] = field(default_factory=dict)
    absences: dict[Key, float] = field(default_factory=dict)
    waste: dict[ObjectName, float] = field(default_factory=dict)
    leaders: dict[str, tuple[str, float]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    shared_secret: str | None = None
    log: list[Change] = field(default_factory=list)
    trimmed: int = 0
    epoch: int = 0
    connections: int = 0
    tokens: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    def lose_everything(self) -> None:
        """Be a server that began anew; only its tokens go on rising."""
        self.kept.clear()
        self.leases.clear()
        self.absences.clear()
        self.waste.clear()
        self.leaders.clear()
        self.facts.clear()
        self.shared_secret = None
        self.log.clear()
        self.trimmed = 0
        self.epoch += 1
        self._wake()

    def lose_connections(self) -> None:
        """Have those who listen to changes lose their connection, once."""
        self.connections += 1
        self._wake()

    def announce(self, change: Change) -> None:
        self.log.append(change)
        surplus = len(self.log) - self.changes_kept
        if surplus > 0:
            del self.log[:surplus]
            self.trimmed += surplus
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    @property
    def told(self) -> int:
        """How many changes there were since the server began."""
        return self.trimmed + len(self.log)

    def lease(self, key: Key) -> _Held | None:
        held = self.leases.get(key)
        return held if held is not None and held.until > self.clock() else None

    def is_absent(self, key: Key) -> bool:
        return self.absences.get(key, 0.0) > self.clock()

    def drop(self, key: Key) -> None:
        kept = self.kept.pop(key, None)
        if kept is not None:
            self.discard(kept.record.name)

    def discard(self, name: ObjectName) -> None:
        self.waste[name] = self.clock() + self.grace

    def may_publish(self, lease: Lease) -> bool:
        """Tell whether this is the last lease of its key, as far as anybody knows."""
        held, kept = self.lease(lease.key), self.kept.get(lease.key)
        if held is not None:
            return held.token == lease.token
        return kept is None or kept.token < lease.token

    def end(self, lease: Lease) -> bool:
        held = self.lease(lease.key)
        ours = held is not None and held.token == lease.token
        if ours:
            del self.leases[lease.key]
        return ours


class FakeRegister:
    """One node's view of a state; its records' times are by the node's ``clock``."""

    def __init__(
        self, state: FakeRegisterState, clock: Clock, *, node_url: str = "", lease_seconds: float = 10.0
    ) -> None:
        self.state = state
        self._clock = clock
        self._node_url = node_url
        self._seconds = lease_seconds
        self._read: tuple[int, int] | None = None  # epoch, changes told
        self.closed = False

    async def _call(self, name: str) -> None:
        self.state.asked.append(name)
        await self.state.open.wait()
        await asyncio.sleep(0)  # others get their turn, as they would on a network
        if self.state.down:
            raise EngineError("the register is down")

    def _shifted(self, record: Record, seconds: float) -> Record:
        entry = record.entry
        moved = replace(
            entry, validated_at=entry.validated_at + seconds, fetched_at=entry.fetched_at + seconds
        )
        return Record(replace(moved, last_used=0.0, hits=0), record.name)

    def _given(self, kept: _Kept | None) -> Record | None:
        return None if kept is None else self._shifted(kept.record, self._clock() - self.state.clock())

    def _taken(self, record: Record, token: Token) -> _Kept:
        entry, now = record.entry, self._clock()
        past = replace(
            entry, validated_at=min(entry.validated_at, now), fetched_at=min(entry.fetched_at, now)
        )
        shifted = self._shifted(Record(past, record.name), self.state.clock() - now)
        return _Kept(shifted, token, hour_of(self.state.clock()))

    async def find(self, key: Key) -> Record | None:
        await self._call("find")
        return self._given(self.state.kept.get(key))

    async def claim(self, key: Key, max_age: float | None = None) -> Claim:
        await self._call("claim")
        state = self.state
        kept = state.kept.get(key)
        record = self._given(kept)
        if kept is not None and record is not None:
            age = state.clock() - kept.record.entry.validated_at
            if max_age is None or age <= max_age:
                return Known(record)
        if state.is_absent(key):
            return Absent()
        held = state.lease(key)
        if held is not None:
            return Taken(held.holder, record)
        token = Token(next(state.tokens))
        state.leases[key] = _Held(token, self._node_url, state.clock() + self._seconds)
        return Granted(Lease(key, token, self._seconds), record)

    async def renew(self, lease: Lease) -> bool:
        await self._call("renew")
        held = self.state.lease(lease.key)
        if held is None or held.token != lease.token:
            return False
        held.until = self.state.clock() + lease.seconds
        return True

    async def publish(self, lease: Lease, record: Record) -> bool:
        await self._call("publish")
        state, key = self.state, lease.key
        standing = state.kept.get(key)
        same_object = standing is not None and standing.record.name == record.name
        again = same_object and standing is not None and standing.token == lease.token
        if not (again or state.may_publish(lease)):
            if not same_object:
                state.discard(record.name)
            return False
        if standing is not None and not same_object:
            state.discard(standing.record.name)
        state.kept[key] = self._taken(record, lease.token)
        state.waste.pop(record.name, None)
        state.absences.pop(key, None)
        state.end(lease)
        state.announce(Published(key))
        return True

    async def publish_absence(self, lease: Lease, seconds: float) -> None:
        await self._call("publish_absence")
        if not self.state.may_publish(lease):
            return
        self.state.drop(lease.key)
        self.state.absences[lease.key] = self.state.clock() + seconds
        self.state.end(lease)
        self.state.announce(Published(lease.key))

    async def release(self, lease: Lease) -> None:
        await self._call("release")
        if self.state.end(lease):
            self.state.announce(Published(lease.key))

    async def touch(self, keys: Collection[Key]) -> None:
        await self._call("touch")
        for key in keys:
            kept = self.state.kept.get(key)
            if kept is not None:
                kept.hour = hour_of(self.state.clock())

    async def disown(self, record: Record) -> None:
        await self._call("disown")
        standing = self.state.kept.get(record.entry.key)
        if standing is not None and standing.record.name == record.name:
            self.state.drop(record.entry.key)

    async def purge(self, keys: Collection[Key]) -> None:
        await self._call("purge")
        for key in keys:
            self.state.drop(key)
            self.state.absences.pop(key, None)
        if keys:
            self.state.announce(Removed(tuple(keys)))

    async def announce(self, selection: str) -> None:
        await self._call("announce")
        self.state.announce(Selected(selection))

    async def evict(self, limit: int, unused_for: float = 0.0) -> Sequence[Record]:
        await self._call("evict")
        now = self.state.clock()
        oldest = sorted(self.state.kept.items(), key=lambda item: item[1].hour)
        chosen = [(key, kept) for key, kept in oldest if is_unused(kept.hour, now, unused_for)][:limit]
        for key, _ in chosen:
            self.state.drop(key)
        records = [self._given(kept) for _, kept in chosen]
        return [record for record in records if record is not None]

    async def garbage(self, limit: int) -> Sequence[ObjectName]:
        await self._call("garbage")
        due = [name for name, when in self.state.waste.items() if when <= self.state.clock()]
        return sorted(due, key=lambda name: self.state.waste[name])[:limit]

    async def swept(self, names: Collection[ObjectName]) -> None:
        await self._call("swept")
        for name in names:
            self.state.waste.pop(name, None)

    async def adopt(self, record: Record) -> bool:
        await self._call("adopt")
        state, key = self.state, record.entry.key
        standing = state.kept.get(key)
        if standing is not None:
            return standing.record.name == record.name
        if state.is_absent(key) or record.name in state.waste:
            return False
        state.kept[key] = self._taken(record, Token(0))
        return True

    async def totals(self) -> Totals:
        await self._call("totals")
        return Totals(sum(kept.record.entry.size for kept in self.state.kept.values()), len(self.state.kept))

    async def lead(self, role: str, node: str, seconds: float) -> bool:
        await self._call("lead")
        leader, until = self.state.leaders.get(role, (node, 0.0))
        if leader != node and until > self.state.clock():
            return False
        self.state.leaders[role] = (node, self.state.clock() + seconds)
        return True

    async def secret(self) -> str:
        await self._call("secret")
        self.state.shared_secret = self.state.shared_secret or f"secret of {id(self.state)}"
        return self.state.shared_secret

    async def fact(self, name: str) -> str | None:
        await self._call("fact")
        return self.state.facts.get(name)

    async def remember(self, name: str, value: str) -> None:
        await self._call("remember")
        self.state.facts[name] = value

    async def changes(self) -> AsyncIterator[Change]:
        await self._call("changes")
        state = self.state
        connection = state.connections
        if self._read is None:
            self._read = (state.epoch, state.told)
        while True:
            changed = state.changed
            for change in self._unread():
                yield change
            if changed is state.changed:
                await changed.wait()
            if state.down or connection != state.connections:
                raise EngineError("the register's connection is lost")

    def _unread(self) -> list[Change]:
        state = self.state
        epoch, read = self._read or (state.epoch, state.told)
        self._read = (state.epoch, state.told)
        if epoch != state.epoch or read < state.trimmed:
            return [Missed()]
        return list(state.log[read - state.trimmed :])

    async def close(self) -> None:
        self.closed = True
