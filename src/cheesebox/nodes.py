"""Puts together what this node shares with others; part of the composition root."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cheesebox.adapters.http_upstream import HttpUpstream
from cheesebox.adapters.object_storage import ObjectStorage, Patience, open_object_storage
from cheesebox.adapters.valkey_register import ValkeyRegister, open_register
from cheesebox.cache.eviction import Limits
from cheesebox.commons.commons import Commons
from cheesebox.commons.following import Following
from cheesebox.commons.keeping import Keeping
from cheesebox.commons.peers import Peers
from cheesebox.commons.purging import SharedPurge
from cheesebox.commons.sharing import Together
from cheesebox.commons.uses import Uses
from cheesebox.errors import EngineError
from cheesebox.web.shared import EngineCalls, EngineState, SharedState

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from cheesebox.adapters.http_upstream import Connection
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.purge import Purge
    from cheesebox.commons.health import HealthStatistics
    from cheesebox.engines import Objects, Register
    from cheesebox.ports import Clock
    from cheesebox.settings import Settings

log = logging.getLogger(__name__)

STORAGE_PATIENCE = Patience(connect=2.0, silence=6.0, retries=3.0, call=20.0)
"""With the storage: a client is waiting, and gives up after 15 seconds without a byte."""
_PEER_CONNECTS = 2.0
_PEER_SILENCE = 10.0
"""Seconds without a byte after which the node that is fetching counts as lost."""


@dataclass(frozen=True, slots=True)
class Engines:
    """What nodes share."""

    register: Register
    objects: Objects


class Node:
    """One node of several."""

    def __init__(
        self,
        engines: Engines,
        client: HttpUpstream,
        limits: Limits,
        url: str,
        tasks: Tasks,
        clock: Clock,
    ) -> None:
        self._url = url
        self._limits = limits
        self.commons = Commons(engines.register, engines.objects, tasks, time.monotonic)
        self.peers = Peers(client, self.commons, url)
        self.sharing = Together(self.commons, self.peers)
        self.uses = Uses(self.commons, clock)
        self.keeping = Keeping(self.commons, limits, secrets.token_hex(8), clock)

    def purge(self, here: Purge) -> SharedPurge:
        """Have a purge on this node reach all."""
        return SharedPurge(here, self.commons)

    def start(self, here: Purge, tasks: Tasks) -> None:
        """Begin what goes on beside the answers."""
        tasks.start(Following(self.commons, here).run(), "follow the other nodes")
        tasks.start(self.keeping.run(), "keep the shared store")

    def remarks(self) -> list[str]:
        """Tell what this node does without at the moment."""
        told = self.commons.statistics()
        return [
            f"{health.engine} fails, this node goes on by itself: {health.trouble}"
            for health in (told.register, told.storage)
            if health.trouble
        ]

    def state(self) -> SharedState:
        """Tell how the engines fare, and what this node did; asks nobody."""
        told = self.commons.statistics()
        engines = (
            _engine("register", told.register, _calls_of_register(self.commons.register)),
            _engine("storage", told.storage, _calls_of_storage(self.commons.objects)),
        )
        return SharedState(
            self._url or None, engines, told.counts, self.keeping.statistics(), self._limits.max_size
        )


def _engine(name: str, health: HealthStatistics, calls: EngineCalls) -> EngineState:
    return EngineState(name, health.trouble, health.failures, calls)


def _calls_of_register(register: Register) -> EngineCalls:
    if not isinstance(register, ValkeyRegister):
        return EngineCalls()
    told = register.statistics()
    return EngineCalls(told.operations, sum(told.errors.values()))


def _calls_of_storage(objects: Objects) -> EngineCalls:
    if not isinstance(objects, ObjectStorage):
        return EngineCalls()
    told = objects.statistics()
    operations = {name: getattr(told, name) for name in ("put", "upload", "parts", "read", "remove", "list")}
    return EngineCalls(operations, told.errors, told.bytes_up, told.bytes_down)


def open_engines(settings: Settings, clock: Clock) -> Engines | None:
    """Open the engines that the settings name; None where there are none. They need not answer yet.

    Raises `SettingsError`.
    """
    if settings.store is None or settings.catalogue is None:
        return None
    objects = open_object_storage(settings.store, storage_options(settings), patience=STORAGE_PATIENCE)
    register = open_register(
        settings.catalogue, namespace(settings.store), clock, node_url=node_url(settings)
    )
    return Engines(register, objects)


async def open_node(
    settings: Settings,
    engines: Engines | None,
    connection: Connection,
    resources: AsyncExitStack,
    tasks: Tasks,
    clock: Clock,
) -> Node | None:
    """Make this one of several nodes; None where the settings name no engines, and none are given.

    Raises `SettingsError`.
    """
    engines = engines or open_engines(settings, clock)
    if engines is None:
        return None
    direct = replace(connection, connect_timeout=_PEER_CONNECTS, read_timeout=_PEER_SILENCE, is_direct=True)
    client = await resources.enter_async_context(HttpUpstream(direct))
    limits = Limits(settings.shared_max_size, inactive=settings.inactive)
    node = Node(engines, client, limits, node_url(settings), tasks, clock)
    resources.push_async_callback(node.commons.close)
    await _greet(node)
    return node


async def _greet(node: Node) -> None:
    """Find out at the start whether the engines answer: who has mistyped a setting is told at once."""
    for health, check in (
        (node.commons.storage_health, node.commons.objects.check),
        (node.commons.register_health, node.commons.register.totals),
    ):
        try:
            with health.watching():
                await check()
        except EngineError:
            continue  # the log has it; a node starts without its engines, too
    if not node.remarks():
        log.info("shares with other nodes")


def namespace(store: str) -> str:
    """Name what is known of one store, so that several can have one register."""
    return hashlib.blake2b(store.rstrip("/").encode(), digest_size=6).hexdigest()


def node_url(settings: Settings) -> str:
    """Give where other nodes reach this one, without a slash at the end; empty: nowhere."""
    return (settings.node_url or "").rstrip("/")


def storage_options(settings: Settings) -> dict[str, str]:
    """Give what is set for the storage beside its URL; all else its client takes from the environment."""
    options = {}
    if settings.store_endpoint:
        options["endpoint"] = settings.store_endpoint.rstrip("/")
        if settings.store_endpoint.startswith("http://"):
            options["allow_http"] = "true"
    if settings.store_region:
        options["region"] = settings.store_region
    return options
