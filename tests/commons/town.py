"""Several nodes in one process: each has a house of its own, all share one register and one storage."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from cheesebox.adapters.sqlite_holdings import SqliteHoldings
from cheesebox.cache.eviction import Limits
from cheesebox.cache.purge import Purge
from cheesebox.commons.commons import Commons
from cheesebox.commons.following import Following
from cheesebox.commons.keeping import Keeping
from cheesebox.commons.peers import Peers
from cheesebox.commons.purging import SharedPurge
from cheesebox.commons.sharing import Together
from cheesebox.commons.uses import Uses
from cheesebox.errors import CheeseboxError, EngineError, UpstreamBroken, UpstreamUnreachable
from cheesebox.web import problems
from cheesebox.web.http import Request
from cheesebox.web.peering import Peering
from tests.cache.fakes import ManualClock, PlannedUpstream
from tests.cache.house import House
from tests.fakes.objects import FakeObjects
from tests.fakes.register import FakeRegister, FakeRegisterState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from cheesebox.engines import ObjectName
    from cheesebox.ports import Key, UpstreamAnswer
    from cheesebox.web.http import Response

LEASE = 10.0
PATIENCE = 12.0
_LASTING = ("follow the other nodes", "renew ")


class NodeRegister(FakeRegister):
    """A register as one node reaches it: it may be cut off, or be slow, by itself."""

    def __init__(self, state: FakeRegisterState, clock: ManualClock, url: str) -> None:
        super().__init__(state, clock, node_url=url, lease_seconds=LEASE)
        self.is_cut = False
        self.way = asyncio.Event()
        self.way.set()

    async def _call(self, name: str) -> None:
        await super()._call(name)
        await self.way.wait()
        if self.is_cut:
            raise EngineError("the register cannot be reached from here")


class PeerAnswer:
    """What a node answers another, as it comes over the wire."""

    def __init__(self, response: Response, url: str, node: Node) -> None:
        self.status = response.status
        self.url = url
        self.headers = {name.lower(): value for name, value in response.headers}
        self._body = response.body
        self._node = node

    async def chunks(self) -> AsyncIterator[bytes]:
        if isinstance(self._body, bytes):
            yield self._body
            return
        try:
            async with aclosing(self._body.file.stream(self._body.start, self._body.stop)) as stream:
                async for chunk in stream:
                    if self._node.is_dead:
                        raise UpstreamBroken(f"{self.url}: the connection is cut")
                    yield chunk
        except CheeseboxError as error:  # a server cuts the connection
            raise UpstreamBroken(f"{self.url}: the connection is cut") from error


@dataclass
class Network:
    """Leads from node to node."""

    nodes: dict[str, Node] = field(default_factory=dict)
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    is_cut: bool = False

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> AsyncIterator[UpstreamAnswer]:
        self.requests.append((url, headers))
        parts = urlsplit(url)
        node = self.nodes.get(f"{parts.scheme}://{parts.netloc}")
        if node is None or node.is_dead or self.is_cut:
            raise UpstreamUnreachable(f"{url}: nobody is there")
        asked = Request(method, parts.path, "", {name.lower(): value for name, value in headers.items()})
        try:
            response = await node.peering.answer(asked)
        except CheeseboxError as error:
            response = problems.problem(error)
        try:
            yield PeerAnswer(response, url, node)
        finally:
            if response.closing is not None:
                response.closing()


class Node:
    """One node of a town."""

    def __init__(self, town: Town, name: str, **options: Any) -> None:
        self.name = name
        self.url = options.pop("url", f"http://{name}.example")
        self.town = town
        self.register = NodeRegister(town.state, town.clock, self.url)
        self.is_dead = False
        options.setdefault("upstream", town.upstream)
        self.house = House(town.root / name, clock=town.clock, sharing=self._share, **options)

    def _share(self, house: House) -> Together:
        timer, town = self.town.clock, self.town
        self.commons = Commons(self.register, town.objects, house.tasks, timer, look_again=0.005)
        self.peers = Peers(town.network, self.commons, self.url)
        self.uses = Uses(self.commons, town.clock)
        house.shelf.note_use = self.uses.note
        return Together(self.commons, self.peers, patience=PATIENCE)

    async def __aenter__(self) -> Self:
        self._resources = AsyncExitStack()
        await self._resources.enter_async_context(self.house)
        house = self.house
        self.peering = Peering(self.peers.secret, house.files.here)
        self.holdings = SqliteHoldings(house.root / "catalogue.sqlite")
        self._resources.callback(self.holdings.close)
        self._resources.push_async_callback(house.tasks.close)
        here = Purge(house.shelf, self.holdings, self._forget)
        self.purge = SharedPurge(here, self.commons)
        house.tasks.start(Following(self.commons, here, pause=0.001).run(), _LASTING[0])
        await asyncio.sleep(0)
        return self

    def _forget(self, keys: Sequence[Key]) -> None:
        for key in keys:
            self.house.documents.drop_from_memory(key)

    async def __aexit__(self, *_: object) -> None:
        await self.house.tasks.close()
        await self.commons.close()
        await self._resources.aclose()

    async def die(self) -> None:
        """Be gone at once, without a word to anybody: leases stand until they end by themselves."""
        self.is_dead = True
        self.register.is_cut = True
        await self.house.tasks.close()

    def keeping(self, max_size: int = 0, inactive: float = 30 * 86400.0, every: float = 10.0) -> Keeping:
        """Give what keeps the shared store."""
        limits = Limits(max_size, inactive=inactive)
        return Keeping(self.commons, limits, self.name, self.town.clock, every=every)

    async def quiet(self) -> None:
        """Wait until no work goes on in the background but what never ends."""
        while running := [t for t in self.house.tasks._tasks if not t.get_name().startswith(_LASTING)]:
            await asyncio.gather(*running, return_exceptions=True)

    async def page(self, *, refresh: bool = False) -> bytes:
        """Ask for the page of ``demo``."""
        return (await self.house.page(refresh=refresh)).representation.body

    @property
    def counts(self) -> Any:
        """What was done together."""
        return self.commons.statistics().counts


class Town:
    """All nodes, and what they share."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = ManualClock()
        self.state = FakeRegisterState(self.clock)
        self.objects = FakeObjects(self.clock)
        self.upstream = PlannedUpstream()
        self.network = Network()
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.state.open.set()
        self.objects.open.set()
        await self._resources.aclose()

    async def node(self, name: str, **options: Any) -> Node:
        """Start a node."""
        node = await self._resources.enter_async_context(Node(self, name, **options))
        if node.url:
            self.network.nodes[node.url] = node
        return node

    async def nodes(self, *names: str, **options: Any) -> list[Node]:
        """Start several nodes."""
        return [await self.node(name, **options) for name in names]

    async def quiet(self, *nodes: Node) -> None:
        """Wait until these have nothing to do."""
        for node in nodes:
            await node.quiet()

    def named(self, key: Key) -> ObjectName:
        """Give the name of the object of a record."""
        return self.state.kept[key].record.name

    def damage(self, key: Key, body: bytes) -> None:
        """Change the bytes of a shared object."""
        self.objects.bodies[self.named(key)] = body


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that tells nobody when it happens."""
    while not condition():  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.001)
