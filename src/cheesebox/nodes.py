"""Puts together what this node shares with others; part of the composition root."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from cheesebox.adapters.http_upstream import HttpUpstream
from cheesebox.adapters.object_storage import open_object_storage
from cheesebox.adapters.valkey_register import open_register
from cheesebox.cache.eviction import Limits
from cheesebox.commons.commons import Commons
from cheesebox.commons.following import Following
from cheesebox.commons.keeping import Keeping
from cheesebox.commons.peers import Peers
from cheesebox.commons.purging import SharedPurge
from cheesebox.commons.sharing import Together
from cheesebox.commons.uses import Uses
from cheesebox.errors import EngineError

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from cheesebox.adapters.http_upstream import Connection
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.purge import Purge
    from cheesebox.engines import Objects, Register
    from cheesebox.ports import Clock
    from cheesebox.settings import Settings

log = logging.getLogger(__name__)

_PEER_CONNECTS = 2.0
_PEER_SILENCE = 10.0
"""Seconds without a byte after which the node that is fetching counts as lost."""


class Node:
    """One node of several."""

    def __init__(
        self,
        register: Register,
        objects: Objects,
        client: HttpUpstream,
        limits: Limits,
        tasks: Tasks,
        clock: Clock,
        node_url: str = "",
    ) -> None:
        self.commons = Commons(register, objects, tasks, time.monotonic)
        self.peers = Peers(client, self.commons, node_url)
        self.sharing = Together(self.commons, self.peers)
        self.uses = Uses(self.commons, clock)
        self.keeping = Keeping(self.commons, limits, secrets.token_hex(8), clock)

    def purge(self, here: Purge) -> SharedPurge:
        """Have a purge on this node reach all."""
        return SharedPurge(here, self.commons)

    def start(self, here: Purge, tasks: Tasks) -> None:
        """Begin what goes on beside the answers."""
        tasks.start(Following(self.commons, here.remove).run(), "follow the other nodes")
        tasks.start(self.keeping.run(), "keep the shared store")

    def remarks(self) -> list[str]:
        """Tell what this node does without at the moment."""
        told = self.commons.statistics()
        return [
            f"{health.engine} fails, this node goes on by itself: {health.trouble}"
            for health in (told.register, told.storage)
            if health.trouble
        ]


async def open_node(
    settings: Settings, connection: Connection, resources: AsyncExitStack, tasks: Tasks, clock: Clock
) -> Node | None:
    """Open the engines that the settings name; None where there are none. They need not answer yet.

    Raises `SettingsError`.
    """
    if settings.store is None or settings.catalogue is None:
        return None
    objects = open_object_storage(settings.store, storage_options(settings))
    node_url = (settings.node_url or "").rstrip("/")
    register = open_register(settings.catalogue, namespace(settings.store), clock, node_url=node_url)
    direct = replace(connection, connect_timeout=_PEER_CONNECTS, read_timeout=_PEER_SILENCE, is_direct=True)
    client = await resources.enter_async_context(HttpUpstream(direct))
    limits = Limits(settings.shared_max_size, inactive=settings.inactive)
    node = Node(register, objects, client, limits, tasks, clock, node_url)
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
