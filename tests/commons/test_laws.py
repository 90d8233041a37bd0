"""Laws of several nodes, over random interleavings of requests, changes, failures and pauses."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cheesebox.cache.freshness import Policy, Verdict
from cheesebox.errors import CheeseboxError, DigestMismatch, EngineError, UpstreamError, UpstreamUnreachable
from tests.cache.fakes import PAGES, Gate, PlannedAnswer, Request, json_page, page_plan, whole_or_part
from tests.cache.fakes import Plan as Planned
from tests.cache.house import hashed_path, url_of
from tests.commons.town import LEASE, PATIENCE, Node, Town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

    from cheesebox.simple.paths import FilePath
    from tests.cache.fakes import ManualClock

CONTENTS = [random.Random(number).randbytes(90_000 * (number + 1)) for number in range(2)]
BODIES = {hashed_path(body, f"demo-{number}.tar.gz"): body for number, body in enumerate(CONTENTS)}
URLS = {url_of(path): body for path, body in BODIES.items()}
FRESH = 300.0
POLICY = Policy(fresh_for=FRESH, refresh_patience=20.0)


@dataclass
class Version:
    """A version of the page: current from ``since`` up to ``until`` (None: now)."""

    number: int
    since: float
    until: float | None = None


class ChangingUpstream:
    """Has one page, which changes, and files. It may fail, or hold all answers back."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.versions = [Version(0, clock())]
        self.requests: list[str] = []
        self.is_down = False
        self.gate: Gate | None = None

    def change(self) -> None:
        now = self._clock()
        self.versions[-1].until = now
        self.versions.append(Version(self.versions[-1].number + 1, now))

    def _plan(self, request: Request) -> Planned:
        if request.url in URLS:
            return whole_or_part(URLS[request.url], request)
        number = self.versions[-1].number
        if request.headers.get("If-None-Match") == f'"{number}"':
            return Planned(status=304)
        file = {"filename": f"demo-{number}.tar.gz", "url": "demo.tar.gz", "hashes": {}}
        return page_plan(json_page(file), etag=f'"{number}"', serial=number)

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> AsyncIterator[PlannedAnswer]:
        self.requests.append(url)
        if self.gate is not None:
            await self.gate.pass_through()
        if self.is_down:
            raise UpstreamUnreachable("the upstream is down")
        yield PlannedAnswer(self._plan(Request(method, url, headers)), url)


class Nodes(RuleBasedStateMachine):
    """Three nodes and what they share, in a loop of their own."""

    policy = POLICY

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.town = Town(self.folder)
        self.clock = self.town.clock
        self.upstream = ChangingUpstream(self.clock)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(bounded(work))

    @initialize()
    def start(self) -> None:
        self.nodes: list[Node] = self.run(
            self.town.nodes("a", "b", "c", upstream=self.upstream, policy=self.policy)
        )

    def teardown(self) -> None:
        self.run(self.town.__aexit__())
        self.runner.close()
        shutil.rmtree(self.folder)

    async def quiet(self) -> None:
        await self.town.quiet(*self.nodes)

    async def read_page(self, node: Node, *, refresh: bool = False) -> tuple[Version, Verdict]:
        answer = await node.house.page(refresh=refresh)
        number = int(answer.representation.body.partition(b"demo-")[2].partition(b".tar")[0])
        return self.upstream.versions[number], answer.answered.verdict

    def is_young_enough(self, version: Version, started: float, allowed: float = FRESH) -> bool:
        return version.until is None or version.until >= started - allowed


async def bounded(work: Coroutine[Any, Any, Any]) -> Any:
    async with asyncio.timeout(20):
        return await work


node_numbers = st.integers(0, 2)
paths = st.sampled_from(list(BODIES))


class NodesInTrouble(Nodes):
    """Whatever fails: never a wrong byte, nothing too old, and in the end an answer."""

    policy = replace(POLICY, refresh_patience=0.02)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[asyncio.Task[None]] = []
        self.upstream_was_down = 0.0
        self.is_damaged = False

    def ask(self, work: Coroutine[Any, Any, None]) -> None:
        async def begin() -> None:
            self.asked.append(asyncio.ensure_future(work))
            await self.go_on()

        self.run(begin())

    async def go_on(self) -> None:
        """Let all that can go on do so for a while, and look at what has ended."""
        for _ in range(5):
            await asyncio.sleep(0.001)
        for task in [task for task in self.asked if task.done()]:
            self.asked.remove(task)
            task.result()

    @rule(number=node_numbers, refresh=st.booleans())
    def ask_for_the_page(self, number: int, *, refresh: bool) -> None:
        self.ask(self.page(self.nodes[number], refresh=refresh))

    async def page(self, node: Node, *, refresh: bool) -> None:
        started, downs = self.clock(), self.downs
        try:
            version, verdict = await self.read_page(node, refresh=refresh)
        except UpstreamError:
            assert self.upstream.is_down or downs != self.downs or self.was_down(started)
            return
        if verdict not in (Verdict.STALE, Verdict.UPDATING):
            assert self.is_young_enough(version, started)

    downs = 0

    def was_down(self, since: float) -> bool:
        return self.upstream_was_down >= since

    @rule(number=node_numbers, path=paths)
    def ask_for_a_file(self, number: int, path: FilePath) -> None:
        self.ask(self.file(self.nodes[number], path))

    async def file(self, node: Node, path: FilePath) -> None:
        started, downs = self.clock(), self.downs
        try:
            assert await node.house.read(path) == BODIES[path]
        except DigestMismatch:
            assert self.is_damaged
        except UpstreamError:
            assert self.upstream.is_down or downs != self.downs or self.was_down(started) or self.is_damaged

    @rule()
    def the_page_changes(self) -> None:
        self.upstream.change()

    @rule()
    def the_upstream_fails_or_recovers(self) -> None:
        if self.upstream.is_down:
            self.upstream_was_down = self.clock()
        self.upstream.is_down = not self.upstream.is_down
        self.downs += 1

    @rule()
    def the_upstream_holds_its_answers_back(self) -> None:
        self.upstream.gate = self.upstream.gate or Gate()

    @rule()
    def the_upstream_goes_on(self) -> None:
        self.run(self.let_go())

    async def let_go(self) -> None:
        if self.upstream.gate is not None:
            self.upstream.gate.opened.set()
            self.upstream.gate = None
        await self.go_on()

    @rule()
    def the_register_fails_or_recovers(self) -> None:
        self.town.state.down = not self.town.state.down

    @rule()
    def the_storage_fails_or_recovers(self) -> None:
        self.town.objects.down = not self.town.objects.down

    @rule(number=node_numbers)
    def a_node_is_cut_off_or_reached_again(self, number: int) -> None:
        node = self.nodes[number]
        node.register.is_cut = node.is_dead = not node.is_dead

    @rule(seconds=st.sampled_from([1.0, 5.0, LEASE + 1, PATIENCE + 1, 61.0, FRESH + 1, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_time(seconds)
        self.run(self.go_on())

    @rule(number=node_numbers)
    def a_node_evicts(self, number: int) -> None:
        house = self.nodes[number].house
        house.room.remove([house.key(path) for path in BODIES])

    @rule(number=node_numbers, max_size=st.sampled_from([0, 1, 100_000]))
    def the_shared_store_is_kept(self, number: int, max_size: int) -> None:
        async def keep() -> None:
            try:
                await self.nodes[number].keeping(max_size).work()
            except EngineError:
                return

        self.run(keep())

    @rule()
    def the_register_loses_its_data(self) -> None:
        self.town.state.lose_everything()

    @rule()
    def objects_are_lost(self) -> None:
        self.town.objects.bodies.clear()

    @rule()
    def objects_are_damaged(self) -> None:
        bodies = self.town.objects.bodies
        for name, body in bodies.items():
            bodies[name] = body[:-1] + bytes([body[-1] ^ 1])
        self.is_damaged = self.is_damaged or bool(bodies)

    def teardown(self) -> None:
        try:
            if hasattr(self, "nodes"):
                self.run(self.end())
        finally:
            super().teardown()

    async def end(self) -> None:
        """Heal all: everybody gets an answer, and nothing is left behind."""
        self.upstream.is_down = self.town.state.down = self.town.objects.down = False
        self.upstream_was_down = self.clock()
        for node in self.nodes:
            node.register.is_cut = node.is_dead = False
        await self.let_go()
        while self.asked:
            self.clock.pass_time(1)
            await self.go_on()
        await self.quiet()
        self.clock.pass_time(LEASE + 1)
        assert self.town.objects.unfinished == 0
        for node in self.nodes:
            assert not node.commons._held
            assert not len(node.commons.news)
            assert node.house.downloads.under_way() == ()
        await self.all_is_well()

    async def all_is_well(self) -> None:
        """After the failures, nodes share as before: an engine's rest has passed."""
        self.clock.pass_time(4000)
        for node in self.nodes:
            for path, body in BODIES.items():
                try:
                    assert await node.house.read(path) == body
                except CheeseboxError:
                    assert self.is_damaged
            await self.quiet()
        self.upstream.change()
        self.clock.pass_time(4000)
        asked = self.upstream.requests.count(f"{PAGES}demo/")
        for node in self.nodes:
            await self.read_page(node)  # the old one, if the new one takes its time
            await self.quiet()
            assert (await self.read_page(node))[0].until is None
        assert self.upstream.requests.count(f"{PAGES}demo/") == asked + 1


class NodesInOrder(Nodes):
    """While all is well, nobody asks the upstream for what another node knows already."""

    def __init__(self) -> None:
        super().__init__()
        self.validated: float | None = None

    @rule(numbers=st.lists(node_numbers, min_size=1, max_size=6))
    def ask_for_the_page(self, numbers: list[int]) -> None:
        self.run(self.pages(numbers))

    async def pages(self, numbers: list[int]) -> None:
        before, now = self.page_requests, self.clock()
        answers = await asyncio.gather(*(self.read_page(self.nodes[number]) for number in numbers))
        await self.quiet()
        for version, verdict in answers:  # who comes while his node is asking gets the old one at once
            assert verdict is Verdict.UPDATING or self.is_young_enough(version, now)
        must_ask = self.validated is None or now - self.validated > FRESH
        assert self.page_requests - before == (1 if must_ask else 0)
        if must_ask:
            self.validated = now

    @property
    def page_requests(self) -> int:
        return self.upstream.requests.count(f"{PAGES}demo/")

    @rule(number=node_numbers)
    def refresh_the_page(self, number: int) -> None:
        self.run(self.refresh(number))

    async def refresh(self, number: int) -> None:
        before, now = self.page_requests, self.clock()
        version, _ = await self.read_page(self.nodes[number], refresh=True)
        await self.quiet()
        assert self.is_young_enough(version, now, POLICY.refresh_min_age)
        must_ask = self.validated is None or now - self.validated > POLICY.refresh_min_age
        assert self.page_requests - before <= (1 if must_ask else 0)
        if self.page_requests > before:
            self.validated = now

    @rule(asked=st.lists(st.tuples(node_numbers, paths), min_size=1, max_size=6))
    def ask_for_files(self, asked: list[tuple[int, FilePath]]) -> None:
        self.run(self.files(asked))

    async def files(self, asked: list[tuple[int, FilePath]]) -> None:
        bodies = await asyncio.gather(*(self.nodes[number].house.read(path) for number, path in asked))
        assert bodies == [BODIES[path] for _, path in asked]
        await self.quiet()
        assert all(self.upstream.requests.count(url) <= 1 for url in URLS)

    @rule()
    def the_page_changes(self) -> None:
        self.upstream.change()

    @rule(seconds=st.sampled_from([1.0, 5.0, 61.0, FRESH + 1, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_time(seconds)

    @rule(number=node_numbers)
    def a_node_evicts(self, number: int) -> None:
        house = self.nodes[number].house
        house.room.remove([*(house.key(path) for path in BODIES), house.pages.key("demo")])  # type: ignore[list-item]

    @precondition(lambda self: self.validated is not None)
    @rule(number=node_numbers)
    def a_node_is_told_to_forget_its_page(self, number: int) -> None:
        house = self.nodes[number].house
        house.documents.drop_from_memory(house.pages.key("demo"))  # type: ignore[arg-type] # a name

    def teardown(self) -> None:
        if hasattr(self, "nodes"):
            assert not self.town.state.leases
            assert self.town.objects.unfinished == 0
        super().teardown()


_PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
TestNodesInTrouble = NodesInTrouble.TestCase
TestNodesInTrouble.settings = settings(max_examples=20, stateful_step_count=20, phases=_PHASES)
TestNodesInOrder = NodesInOrder.TestCase
TestNodesInOrder.settings = settings(max_examples=10, stateful_step_count=15, phases=_PHASES)
