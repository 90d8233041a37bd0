"""The register on a server does what the register in memory does, whatever is done in whatever order.

Time is moved for both by taking away what would have run out, and by moving uses into the past.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, TypeVar

from anyio.from_thread import start_blocking_portal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cheesebox.commons.hours import is_unused
from cheesebox.engines import Granted, Known, Lease, Record, Taken, Token
from cheesebox.ports import Key

from .registers import Listening, MemoryPlace, ServerPlace, record_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from cheesebox.engines import Claim
    from tests.engines.valkey import ValkeyServer

    T = TypeVar("T")

KEYS = st.sampled_from([Key(name) for name in "abcd"])
SIZES = st.integers(0, 1000)
AGES = st.none() | st.just(-1)
NODES = st.sampled_from([0, 1])


def told(claim: Claim) -> tuple[object, ...]:
    """Give what a claim tells, but for what differs between registers: tokens and times."""
    record = None if not isinstance(claim, Known | Granted | Taken) else claim.record
    holder = claim.holder if isinstance(claim, Taken) else ""
    return type(claim), holder, record and (record.name, record.entry.size, record.entry.key)


class BothRegisters(RuleBasedStateMachine):
    server: ClassVar[ValkeyServer]

    @initialize()
    def begin(self) -> None:
        self.resources = ExitStack()
        self.portal = self.resources.enter_context(start_blocking_portal())  # its loop never stands still
        self.memory, self.real = MemoryPlace(), ServerPlace(self.server)
        self.memory.grace = self.real.grace = 0.0
        self.leases: list[tuple[Lease, Lease]] = []
        self.names = 0
        self.run(self._open())

    async def _open(self) -> None:
        urls = ("http://one", "http://two")
        self.model = [self.memory.register(url, lease_seconds=1000) for url in urls]
        self.nodes = [self.real.register(url, lease_seconds=1000) for url in urls]
        self.heard = [Listening(self.model[0].changes()), await self.real.listen(self.nodes[0])]

    def run(self, work: Awaitable[T]) -> T:
        self.memory.clock.now = time.time()
        return self.portal.call(lambda: work)

    def name(self, key: Key) -> str:
        self.names += 1
        return f"{key}/{self.names}"

    @rule(node=NODES, key=KEYS, max_age=AGES)
    def claim(self, node: int, key: Key, max_age: float | None) -> None:
        expected = self.run(self.model[node].claim(key, max_age))
        found = self.run(self.nodes[node].claim(key, max_age))
        assert told(found) == told(expected)
        if isinstance(expected, Granted) and isinstance(found, Granted):
            assert all(found.lease.token > lease.token for _, lease in self.leases)
            self.leases.append((expected.lease, found.lease))

    @precondition(lambda self: self.leases)
    @rule(node=NODES, size=SIZES, data=st.data())
    def publish(self, node: int, size: int, data: st.DataObject) -> None:
        expected, lease = data.draw(st.sampled_from(self.leases))
        record = record_of(lease.key, Token(0), size=size, name=self.name(lease.key))
        standing = self.memory.state.kept.get(lease.key)
        if standing is not None and data.draw(st.booleans(), label="the same object"):
            record = Record(replace(record.entry, size=standing.record.entry.size), standing.record.name)
        taken = self.run(self.model[node].publish(expected, record))
        assert self.run(self.nodes[node].publish(lease, record)) == taken

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), what=st.sampled_from(["publish_absence", "release", "renew"]))
    def end(self, data: st.DataObject, what: str) -> None:
        expected, lease = data.draw(st.sampled_from(self.leases))
        seconds = (1000.0,) if what == "publish_absence" else ()
        answer = self.run(getattr(self.model[0], what)(expected, *seconds))
        assert self.run(getattr(self.nodes[0], what)(lease, *seconds)) == answer

    @rule(key=KEYS)
    def lease_runs_out(self, key: Key) -> None:
        self.memory.state.leases.pop(key, None)
        self.server.command("DEL", self.real.key(f"l:{key}"))

    @rule(key=KEYS)
    def absence_runs_out(self, key: Key) -> None:
        self.memory.state.absences.pop(key, None)
        self.server.command("DEL", self.real.key(f"absent:{key}"))

    @precondition(lambda self: self.memory.state.kept)
    @rule(data=st.data(), hours=st.integers(1, 5))
    def hours_pass(self, data: st.DataObject, hours: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.memory.state.kept)))
        self.run(self.memory.unused(key, hours))
        self.run(self.real.unused(key, hours))

    @rule(keys=st.lists(KEYS))
    def touch(self, keys: list[Key]) -> None:
        self.run(self.model[0].touch(keys))
        self.run(self.nodes[0].touch(keys))

    @rule(keys=st.lists(KEYS, unique=True))
    def purge(self, keys: list[Key]) -> None:
        self.run(self.model[0].purge(keys))
        self.run(self.nodes[0].purge(keys))

    @rule(limit=st.integers(0, 3), unused_for=st.sampled_from([0.0, 7200.0]))
    def evict(self, limit: int, unused_for: float) -> None:
        """Which of those that were last used in the same hour are taken is the server's choice."""
        hours = {key: kept.hour for key, kept in self.memory.state.kept.items()}
        now = self.memory.clock()
        expected = sorted(hour for hour in hours.values() if is_unused(hour, now, unused_for))[:limit]
        evicted = [record.entry.key for record in self.run(self.nodes[0].evict(limit, unused_for))]
        assert [hours[key] for key in evicted] == expected
        for key in evicted:
            self.memory.state.drop(key)

    @precondition(lambda self: self.memory.state.kept)
    @rule(data=st.data(), stands=st.booleans())
    def disown(self, data: st.DataObject, *, stands: bool) -> None:
        kept = data.draw(st.sampled_from(list(self.memory.state.kept.values())))
        record = kept.record if stands else Record(kept.record.entry, record_of(Key("x"), Token(0)).name)
        self.run(self.model[0].disown(record))
        self.run(self.nodes[0].disown(record))

    @rule(key=KEYS, size=SIZES, data=st.data())
    def adopt(self, key: Key, size: int, data: st.DataObject) -> None:
        of_key = [name for name in self.memory.state.waste if name.startswith(f"{key}/")]
        name = data.draw(st.sampled_from([*of_key, ""])) or self.name(key)
        record = record_of(key, Token(0), size=size, name=name)
        taken = self.run(self.model[0].adopt(record))
        assert self.run(self.nodes[0].adopt(record)) == taken

    @precondition(lambda self: self.memory.state.waste)
    @rule(data=st.data())
    def sweep(self, data: st.DataObject) -> None:
        garbage = sorted(self.memory.state.waste)
        swept = data.draw(st.lists(st.sampled_from(garbage), max_size=3))
        self.run(self.model[0].swept(swept))
        self.run(self.nodes[0].swept(swept))

    @invariant()
    def the_same_is_kept(self) -> None:
        state = self.memory.state
        for key in ("a", "b", "c", "d"):
            found, expected = (self.run(nodes[1].find(Key(key))) for nodes in (self.nodes, self.model))
            assert (found and (found.name, found.entry.size)) == (
                expected and (expected.name, expected.entry.size)
            )
        assert self.run(self.nodes[1].totals()) == self.run(self.model[1].totals())
        assert set(self.run(self.nodes[1].garbage(1000))) == set(state.waste)

    @invariant()
    def each_key_is_in_the_set_of_its_hour_alone(self) -> None:
        with self.server.client() as client:
            hours = {
                key.decode(): int(client.hget(key, "hour") or -1)
                for key in client.scan_iter(self.real.key("o:*"))
            }
            used = {
                (self.real.key(f"o:{key.decode()}"), int(found.decode().rpartition(":")[2]))
                for found in client.scan_iter(self.real.key("used:*"))
                for key in client.smembers(found)
            }
            listed = {int(hour) for hour in client.zrange(self.real.key("hours"), 0, -1)}
        assert used == set(hours.items())
        assert {hour for _, hour in used} <= listed

    def teardown(self) -> None:
        try:
            self.run(self.all_changes_were_told())
        finally:
            self.resources.close()

    async def all_changes_were_told(self) -> None:
        for _ in self.memory.state.log:
            expected, found = [await listening.next() for listening in self.heard]
            assert found == expected


def test_whatever_is_done_a_server_does_what_memory_does(shared_server: ValkeyServer) -> None:
    class OnServer(BothRegisters):
        server = shared_server

    run_state_machine_as_test(
        OnServer, settings=settings(max_examples=40, stateful_step_count=40, deadline=None)
    )
