"""Clients that ask for random things, and a hand that stops, kills and revives what they depend on."""

from __future__ import annotations

import asyncio
import math
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.nodes.house import NodeProcess, Nodes

_OK = 200
_THINKS = 1.0
_KILLS = 0.3
"""The share of kills: a storage server takes its time to come back."""
GOES_ON = 15.0
"""Seconds after an engine is back for which a node may still leave it alone."""


@dataclass(frozen=True)
class Offer:
    """What clients ask for: a path below the mount, and the bytes that are right (None: a page)."""

    path: str
    content: bytes | None


@dataclass
class Outcome:
    """What the clients saw. ``excused`` failures came from a node that was being killed."""

    served: int = 0
    excused: int = 0
    failures: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Clients:
    """``count`` clients that ask random nodes for random things, so many times each."""

    def __init__(
        self, nodes: Sequence[NodeProcess], offers: Sequence[Offer], count: int, requests: int, seed: int
    ) -> None:
        self.outcome = Outcome()
        self.gone: dict[str, list[float]] = {node.name: [] for node in nodes}
        """When each node was about to be killed."""
        self.is_up = {node.name: asyncio.Event() for node in nodes}
        for event in self.is_up.values():
            event.set()
        self._nodes = nodes
        self._offers = offers
        self._count = count
        self._requests = requests
        self._seed = seed

    async def run(self) -> Outcome:
        """Ask until all have asked for all that they want."""
        timeout, connector = aiohttp.ClientTimeout(total=90), aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            asyncio.TaskGroup() as group,
        ):
            for number in range(self._count):
                group.create_task(self._ask(session, random.Random(f"{self._seed} {number}")))
        return self.outcome

    async def _ask(self, session: aiohttp.ClientSession, order: random.Random) -> None:
        for _ in range(self._requests):
            await asyncio.sleep(order.uniform(0, _THINKS))
            node, offer = order.choice(self._nodes), order.choice(self._offers)
            await self.is_up[node.name].wait()
            began = time.monotonic()
            try:
                await self._get(session, node, offer)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if any(at >= began for at in self.gone[node.name]):
                    self.outcome.excused += 1
                else:
                    self.outcome.failures.append(f"{node.name} {offer.path}: {error!r}")

    async def _get(self, session: aiohttp.ClientSession, node: NodeProcess, offer: Offer) -> None:
        url = f"{node.node_url}/pypi/{offer.path}"
        async with session.get(url) as response:
            body = await response.read()
            if response.status != _OK:
                self.outcome.failures.append(f"{node.name} {offer.path}: {response.status} {body[:300]!r}")
            elif offer.content is not None and body != offer.content:
                self.outcome.wrong.append(f"{node.name} {offer.path}: {len(body)} bytes")
            else:
                self.outcome.served += 1


class Disturbance:
    """Stops and kills nodes, one at a time, and engines, one at a time, and undoes it.

    ``takeovers`` counts the leases that nodes had when they were stopped or killed; ``outages`` are the
    times (of `time.monotonic`) in which nodes may have gone on by themselves; ``told`` lists what was done.
    """

    def __init__(self, house: Nodes, clients: Clients, seed: int, *, with_engines: bool) -> None:
        self.told: list[str] = []
        self.takeovers = 0
        self.outages: list[tuple[float, float]] = []
        self._with_engines = with_engines
        self._house = house
        self._clients = clients
        self._random = random.Random(seed)

    async def run(self) -> None:
        """Go on until cancelled; what was done is always undone."""
        hands = [self._hand([self._pause_node, self._kill_node])]
        if self._with_engines:
            hands.append(self._hand([self._disturb_engine]))
        await asyncio.gather(*hands)

    async def _hand(self, disturb: Sequence[Callable[[], Awaitable[None]]]) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(0.5, 2.0))
            await asyncio.shield(asyncio.ensure_future(self._random.choice(disturb)()))

    async def _lasting(self) -> None:
        await asyncio.sleep(self._random.uniform(0.3, 2.5))

    async def _pause_node(self) -> None:
        node = self._random.choice(self._house.nodes)
        await self._note(f"pause {node.name}", node)
        node.pause()
        await self._lasting()
        node.resume()

    async def _kill_node(self) -> None:
        node = self._random.choice(self._house.nodes)
        self._clients.is_up[node.name].clear()
        await self._note(f"kill {node.name}", node)
        self._clients.gone[node.name].append(time.monotonic())
        await asyncio.to_thread(node.kill)
        await asyncio.to_thread(node.start)
        self._clients.is_up[node.name].set()

    async def _disturb_engine(self) -> None:
        engine = self._random.choice((self._house.valkey, self._house.storage))
        does_kill = self._random.random() < _KILLS
        began = time.monotonic()
        number = len(self.outages)
        self.outages.append((began, math.inf))
        await self._note(f"{'kill' if does_kill else 'pause'} {type(engine).__name__}")
        await asyncio.to_thread(engine.kill if does_kill else engine.pause)
        await self._lasting()
        await asyncio.to_thread(engine.ensure_running if does_kill else engine.resume)
        self.outages[number] = (began, time.monotonic() + GOES_ON)

    async def _note(self, what: str, node: NodeProcess | None = None) -> None:
        self.told.append(f"{time.monotonic():.1f} {what}")
        if node is not None:
            self.takeovers += await asyncio.to_thread(self._house.leases_of, node)

    def is_outage(self, at: float) -> bool:
        """Tell whether nodes may have gone on by themselves at a time."""
        return any(began <= at <= ended for began, ended in self.outages)
