"""The register on a Valkey or Redis server (5 or later): each operation is one round trip.

The server must keep what it is given (``maxmemory-policy noeviction``, the default). What it loses in a
crash or a fail-over is found again: from the object storage, or from the upstream.
"""

from __future__ import annotations

import secrets
from itertools import islice
from typing import TYPE_CHECKING, Any

from cheesebox.adapters.valkey.calls import Calls, RegisterStatistics
from cheesebox.adapters.valkey.changes import ChangeReader, encoded
from cheesebox.adapters.valkey.connecting import open_client
from cheesebox.adapters.valkey.records import Skew, arguments_of, record_of
from cheesebox.adapters.valkey.scripts import load_scripts
from cheesebox.engines import Absent, Claim, Granted, Known, Lease, ObjectName, Record, Taken, Token
from cheesebox.errors import EngineError
from cheesebox.ports import Totals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
    from typing import TypeVar

    from cheesebox.engines import Change
    from cheesebox.ports import Clock, Key

    T = TypeVar("T")

_AT_ONCE = 500  # keys in one step of the server, which serves nobody else meanwhile


def open_register(
    url: str,
    namespace: str,
    clock: Clock,
    *,
    node_url: str = "",
    lease_seconds: float = 10.0,
    grace: float = 600.0,
    changes_kept: int = 10_000,
    connections: int = 32,
) -> ValkeyRegister:
    """Make a register that connects on first use; raises `SettingsError` for a URL that cannot be used.

    ``node_url`` is told to those who find a lease taken by this node. ``grace``: seconds until an object
    that nobody needs any more may be removed, so that who reads it can come to the end. ``connections``:
    how many calls may be under way at once.
    """
    opened = open_client(url, connections + 1)  # one more listens to changes
    common = (_milliseconds(grace), changes_kept)
    calls = Calls(opened, load_scripts(), f"{{cheesebox:{namespace}}}:", common, connections)
    return ValkeyRegister(calls, clock, node_url, lease_seconds)


class ValkeyRegister:
    """A `cheesebox.engines.Register`; made by `open_register`."""

    def __init__(self, calls: Calls, clock: Clock, node_url: str, lease_seconds: float) -> None:
        self._calls = calls
        self._clock = clock
        self._node_url = node_url
        self._lease_seconds = lease_seconds
        self._skew = Skew()
        self._changes = ChangeReader(calls)

    def __repr__(self) -> str:
        return f"<ValkeyRegister {self._calls.where} {self._calls.prefix}>"

    def statistics(self) -> RegisterStatistics:
        """Give how many calls there were."""
        return self._calls.statistics()

    async def find(self, key: Key) -> Record | None:
        """Look."""
        (shown,) = await self._timed("find", key)
        return record_of(shown, self._skew)

    async def claim(self, key: Key, max_age: float | None = None) -> Claim:
        """Look, and take the lease if there is nothing to be seen."""
        age = "" if max_age is None else _milliseconds(max_age)
        length, name = _milliseconds(self._lease_seconds), secrets.token_urlsafe(9)
        outcome, *found = await self._timed("claim", key, age, length, name, self._node_url)
        return self._claim(key, outcome, *found)

    def _claim(self, key: Key, outcome: bytes, shown: list[Any] | None = None, more: bytes = b"") -> Claim:
        record = record_of(shown, self._skew)
        match outcome, record:
            case b"known", Record():
                return Known(record)
            case b"absent", _:
                return Absent()
            case b"taken", _:
                return Taken(more.decode(), record)
            case b"granted", _:
                return Granted(Lease(key, Token(int(more)), self._lease_seconds), record)
            case _:
                raise EngineError(f"the register gave an answer that is none: {outcome!r}")

    async def renew(self, lease: Lease) -> bool:
        """Hold a lease for longer."""
        length = _milliseconds(lease.seconds)
        return bool(await self._calls.script("renew", lease.key, lease.token, length))

    async def publish(self, lease: Lease, record: Record) -> bool:
        """Make a record known and end the lease."""
        arguments = arguments_of(record, self._clock())
        return bool(await self._calls.script("publish", lease.key, lease.token, *arguments))

    async def publish_absence(self, lease: Lease, seconds: float) -> None:
        """Make known that there is no such object, and end the lease."""
        await self._calls.script("publish_absence", lease.key, lease.token, _milliseconds(seconds))

    async def release(self, lease: Lease) -> None:
        """End a lease without a result."""
        await self._calls.script("release", lease.key, lease.token)

    async def touch(self, keys: Collection[Key]) -> None:
        """Note that these are in use."""
        for some in _batches(keys):
            await self._calls.script("touch", *some)

    async def disown(self, record: Record) -> None:
        """Drop a record whose object is gone or damaged."""
        await self._calls.script("disown", record.entry.key, record.name)

    async def purge(self, keys: Collection[Key]) -> None:
        """Remove records and have all nodes hear of it."""
        for some in _batches(keys):
            await self._calls.script("purge", encoded(some), *some)

    async def announce(self, selection: str) -> None:
        """Have all nodes hear of a selection."""
        await self._calls.script("announce", "selected", selection)

    async def evict(self, limit: int, unused_for: float = 0.0) -> Sequence[Record]:
        """Remove the longest unused records; all are out of the register also when an error is raised."""
        evicted: list[Record] = []
        while len(evicted) < limit:
            wanted = min(limit - len(evicted), _AT_ONCE)
            (found,) = await self._timed("evict", wanted, _milliseconds(unused_for))
            evicted += [record for shown in found if (record := record_of(shown, self._skew))]
            if len(found) < wanted:
                break
        return evicted

    async def garbage(self, limit: int) -> Sequence[ObjectName]:
        """Give names of objects that nobody will read any more."""
        return [ObjectName(name.decode()) for name in await self._calls.script("garbage", limit)]

    async def swept(self, names: Collection[ObjectName]) -> None:
        """Forget garbage."""
        for some in _batches(names):
            await self._calls.command("swept", "ZREM", f"{self._calls.prefix}garbage", *some)

    async def adopt(self, record: Record) -> bool:
        """Take over a body that was found in the storage."""
        arguments = arguments_of(record, self._clock())
        return bool(await self._calls.script("adopt", record.entry.key, *arguments))

    async def totals(self) -> Totals:
        """Give the sum of all records."""
        name = f"{self._calls.prefix}totals"
        size, entries = await self._calls.command("totals", "HMGET", name, "size", "entries")
        return Totals(int(size or 0), int(entries or 0))

    async def lead(self, role: str, node: str, seconds: float) -> bool:
        """Be the one node that does a kind of work."""
        return bool(await self._calls.script("lead", role, node, _milliseconds(seconds)))

    async def secret(self) -> str:
        """Give what the nodes know each other by."""
        held: bytes = await self._calls.script("secret", secrets.token_urlsafe(32))
        return held.decode()

    async def fact(self, name: str) -> str | None:
        """Give what was remembered under a name."""
        value: bytes | None = await self._calls.command("fact", "HGET", f"{self._calls.prefix}facts", name)
        return None if value is None else value.decode()

    async def remember(self, name: str, value: str) -> None:
        """Remember something for all nodes."""
        await self._calls.command("remember", "HSET", f"{self._calls.prefix}facts", name, value)

    def changes(self) -> AsyncIterator[Change]:
        """Give what is changed from now on, or from where it was; one reader at a time."""
        return self._changes.read()

    async def close(self) -> None:
        """Let go of connections."""
        await self._calls.close()

    async def _timed(self, name: str, *args: str | int) -> list[Any]:
        """Run a script that gives the server's time first, and learn from it."""
        before = self._clock()
        answer: list[Any] = await self._calls.script(name, *args)
        server, *found = answer
        self._skew.observe(before, self._clock(), server / 1000)
        return found


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while some := list(islice(left, _AT_ONCE)):
        yield some
