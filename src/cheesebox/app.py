"""The composition root: builds the application of its parts, starts and stops them.

Nothing happens at import, and there are no globals: all that an application holds hangs on its `App`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

from cheesebox import __version__
from cheesebox.access import Access
from cheesebox.adapters.credentials import Credentials
from cheesebox.adapters.http_upstream import Connection, HttpUpstream
from cheesebox.adapters.static_tree import DirectoryTree
from cheesebox.cache.blocking import Blocking
from cheesebox.cache.connectivity import Connectivity, GatedUpstream
from cheesebox.cache.flights import Tasks
from cheesebox.cache.ledger import Ledger, Statistics
from cheesebox.cache.readiness import Readiness
from cheesebox.cache.recent import Recent
from cheesebox.cache.upstream_watch import UpstreamWatch
from cheesebox.errors import CheeseboxError, StoreError
from cheesebox.indexes import Indexes, credential_sources
from cheesebox.management import Management, Observed
from cheesebox.nodes import open_node
from cheesebox.opening import catalogue_file, open_shelf
from cheesebox.web.absent import Absent
from cheesebox.web.access_log import AccessLog, to_logger
from cheesebox.web.api import Api
from cheesebox.web.dashboard.handler import Dashboard
from cheesebox.web.desk import Desk
from cheesebox.web.gate import Gate
from cheesebox.web.hot import HotTable
from cheesebox.web.hot_lane import HotLane
from cheesebox.web.http import run_lifespan
from cheesebox.web.own import OwnEndpoints
from cheesebox.web.peering import Peering
from cheesebox.web.router import Router
from cheesebox.web.site import Site
from cheesebox.web.static_site import StaticSite

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.adapters.board import Board
    from cheesebox.cache.shelf import Shelf
    from cheesebox.nodes import Engines, Node
    from cheesebox.ports import Clock, Key, Totals, Upstream
    from cheesebox.settings import Settings
    from cheesebox.static_tables import StaticSettings
    from cheesebox.web.access_log import Sink
    from cheesebox.web.http import Receive, Scope, Send

log = logging.getLogger(__name__)

_FLUSH_EVERY = 5.0
_SWEEP_EVERY = 60.0
_PAGE_THREADS = 2
"""Pages are read and rendered by so many threads: more would not be faster, only larger, all at once."""


class App:
    """The ASGI application. It starts with the server's lifespan, or by ``async with``."""

    def __init__(
        self,
        settings: Settings,
        *,
        upstream: Upstream | None,
        clock: Clock,
        access_sink: Sink,
        housekeeping: bool = True,
        is_mounted: bool = False,
        board: Board | None = None,
        engines: Engines | None = None,
    ) -> None:
        self.settings = settings
        self._board = board
        self.desk: Desk | None = None
        self._housekeeping = housekeeping
        self._given_upstream = upstream
        self._given_engines = engines
        self._clock = clock
        self.connectivity = Connectivity(is_offline=settings.offline)
        self._ledger = Ledger()
        self._access_log = AccessLog(access_sink) if settings.access_log else None
        # Without a hot lane here nobody looks into the table: nothing is put there.
        has_lane = not is_mounted and board is None
        cleared = board.everything_changed if board else _nothing
        budget = settings.hot_size // 2 if has_lane else 0
        table = HotTable(budget, budget, cleared)
        self.access: Access | None = None
        if settings.access_file is not None:
            self.access = Access(settings.access_file, settings.cache_dir, settings.admin_token)
        self._door = None if self.access is None else self.access.door
        self.hot_lane = HotLane(table, self._ledger, self._access_log, self._touch, clock, self._door)
        self.observed = Observed(
            self._ledger,
            self.statistics,
            UpstreamWatch(self._ledger, clock),
            Recent(),
            table,
            self.connectivity,
        )
        self.connectivity.subscribe(table.clear)
        self._resources = AsyncExitStack()
        self._parts: _Parts | None = None
        self._site: Site | Absent = Absent("starting; without an end if no server runs its lifespan")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""
        if scope["type"] == "lifespan":
            await run_lifespan(self, receive, send)
        elif scope["type"] == "http":
            await self._site(scope, receive, send)
        else:
            raise CheeseboxError(f"nothing here answers {scope['type']}")

    @property
    def is_started(self) -> bool:
        """Whether it answers requests."""
        return isinstance(self._site, Site)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the store and the catalogue; raises `SettingsError` when that can't be."""
        try:
            self._listen_to_log()
            if self.access is not None:
                self.access.begin(self._resources)
            self._parts = await _open(
                self.settings,
                self._resources,
                self._given_upstream,
                self._given_engines,
                self._clock,
                self.observed,
                keeps_parts=self._board is not None,  # whoever restarts keepers wants them to go on
            )
            if self.access is not None:
                await self.access.open(self._resources)
            router = self._build_router(self._parts)
            self._site = self._build_site(router)
            self.connectivity.subscribe(self._parts.indexes.forgive)
            self._parts.shelf.room.after_eviction.append(self.hot_lane.table.unmap)
            if self._board is not None:
                self._open_desk(self._board, self._parts, router)
            if self._housekeeping:
                self._parts.start_housekeeping(self.hot_lane)
            if self.access is not None:
                self.access.watch(self._parts.tasks)
            if self.connectivity.is_offline:
                self.connectivity.tell()
        except BaseException:
            await self._resources.aclose()
            raise

    def _open_desk(self, board: Board, parts: _Parts, router: Router) -> None:
        """Begin to serve workers: from now on the board tells them what changes."""
        room = parts.shelf.room
        room.changes.listeners.append(board.changed)
        room.after_eviction.append(board.removed)
        if self._door is not None:
            self._door.renewed = board.credentials_changed
        table, recent = self.hot_lane.table, self.observed.recent
        self.desk = Desk(router, board, self._ledger, table, recent, self._touch, self._clock, self._door)
        board.credentials_changed()
        board.everything_changed()  # what an earlier keeper would have said is not known

    def _listen_to_log(self) -> None:
        package, recent = logging.getLogger("cheesebox"), self.observed.recent
        package.addHandler(recent)
        self._resources.callback(package.removeHandler, recent)

    async def stop(self) -> None:
        """End downloads, write down what is counted, give the directory free."""
        self._site = Absent("stopping")
        self.hot_lane.table.clear()
        self.hot_lane.settle()
        if self._access_log is not None:
            self._access_log.flush()
        if self._parts is not None:
            await self._parts.note_counts()
        await self._resources.aclose()

    def _build_site(self, router: Router) -> Site:
        table, recent = self.hot_lane.table, self.observed.recent
        return Site(router, self._ledger, self._access_log, table, recent)

    def _build_router(self, parts: _Parts) -> Router:
        mounted = [index for index in self.settings.indexes if index.mount]
        mounts = {index.mount.rstrip("/"): parts.indexes.app(index) for index in mounted}
        api = Api(parts.management.operations, Gate(self.settings.admin_token))
        dashboard = Dashboard(parts.management.operations)
        readiness = Readiness(parts.shelf, time.monotonic)
        remarks = parts.node.remarks if parts.node else tuple[str, ...]
        own = OwnEndpoints(readiness.reason, api, parts.management.metrics, dashboard, remarks)
        peering = Peering(parts.node.peers.secret, parts.indexes.open_here) if parts.node else None
        statics = {static.mount: self._static_site(static, parts) for static in self.settings.statics}
        return Router(mounts, own, statics, self._door, peering)

    def _static_site(self, static: StaticSettings, parts: _Parts) -> StaticSite:
        tree = DirectoryTree(static.root)
        return StaticSite(tree, parts.shelf.blocking, self._clock, listing=static.listing)

    def _touch(self, key: Key, now: float, hits: int) -> None:
        if self._parts is not None:
            self._parts.shelf.used(key, now, hits)

    @property
    def run_token(self) -> str | None:
        """What lets those in who own the cache directory; None: everybody may come in."""
        return None if self.access is None else self.access.run_token

    def statistics(self) -> Statistics:
        """Count the answers since the start."""
        self.hot_lane.settle()
        return self._ledger.statistics()

    def totals(self) -> Totals:
        """Sum up what is stored."""
        if self._parts is None:
            raise CheeseboxError("the application has not been started")
        return self._parts.shelf.catalogue.totals()


def build_app(
    settings: Settings,
    *,
    upstream: Upstream | None = None,
    clock: Clock = time.time,
    access_sink: Sink = to_logger,
    housekeeping: bool = True,
    is_mounted: bool = False,
    board: Board | None = None,
    engines: Engines | None = None,
) -> App:
    """Build the application.

    ``upstream``, ``clock`` and ``engines`` stand in for the real ones in tests; ``access_sink`` takes the
    access log in batches; ``is_mounted``: another program's server asks it, which has no hot lane. Without
    ``housekeeping`` nothing is removed or rebuilt but on request. With a ``board`` it serves workers.
    """
    return App(
        settings,
        upstream=upstream,
        clock=clock,
        access_sink=access_sink,
        housekeeping=housekeeping,
        is_mounted=is_mounted,
        board=board,
        engines=engines,
    )


def _nothing() -> None:
    """Nobody has to be told."""


class _Parts:
    """The opened parts of one application."""

    def __init__(
        self, shelf: Shelf, tasks: Tasks, indexes: Indexes, management: Management, node: Node | None
    ) -> None:
        self.shelf = shelf
        self.node = node
        self.indexes = indexes
        self.management = management
        self.tasks = tasks

    def start_housekeeping(self, lane: HotLane) -> None:
        """Begin what goes on beside the answers."""
        self.tasks.start(self._flush_uses(lane), "flush uses")
        self.tasks.start(self._sweep_unused(), "sweep unused")
        if self.node is not None:
            self.node.start(self.management.purge, self.tasks)
        if self.shelf.leftovers is not None:
            self.tasks.start(self.shelf.leftovers.expire(), "remove leftovers")
        self.indexes.adoption.is_over = self.shelf.catalogue.fact("rebuilt") is not None
        if not self.indexes.adoption.is_over:
            self.tasks.start(self._rebuild(), "rebuild catalogue")

    async def _flush_uses(self, lane: HotLane) -> None:
        while True:
            await asyncio.sleep(_FLUSH_EVERY)
            lane.settle()
            try:
                await self.shelf.blocking(self.shelf.catalogue.flush)
            except StoreError as error:
                log.error("uses not written down: %s", error)
            await self.note_counts()
            if self.node is not None:
                await self.node.uses.tell()

    async def note_counts(self) -> None:
        """Write down what was counted since the last time."""
        try:
            await self.management.operations.note()
        except StoreError as error:
            log.error("counts not written down: %s", error)

    async def _sweep_unused(self) -> None:
        while True:
            try:
                if removed := await self.shelf.room.sweep():
                    log.info("removed %d objects that were not used for long", removed)
            except StoreError as error:
                log.error("unused objects not removed: %s", error)
            await asyncio.sleep(_SWEEP_EVERY)

    async def _rebuild(self) -> None:
        kept = await self.indexes.adoption.rebuild(self.indexes.find_origin)
        if kept:
            log.info("catalogue rebuilt: %d objects found on disk", kept)
        if self.indexes.adoption.has_left:
            log.warning("files whose page is not cached are looked at again at the next start online")
            return
        await self.shelf.blocking(self.shelf.catalogue.remember, "rebuilt", "1")
        self.indexes.adoption.is_over = True


async def _open(
    settings: Settings,
    resources: AsyncExitStack,
    upstream: Upstream | None,
    engines: Engines | None,
    clock: Clock,
    observed: Observed,
    *,
    keeps_parts: bool,
) -> _Parts:
    page_work = Blocking(_PAGE_THREADS)
    resources.callback(page_work.close)
    shelf = await open_shelf(settings, resources, clock, keeps_parts=keeps_parts)
    bare = await _upstreams(settings, resources, upstream, shelf.blocking)
    tasks = Tasks()
    node = await open_node(settings, engines, connection_of(settings), resources, tasks, clock)
    resources.push_async_callback(tasks.close)
    watched = {i.name: observed.watch.over(i.name, bare(i.name)) for i in settings.indexes}
    gated = {name: GatedUpstream(upstream, observed.connectivity) for name, upstream in watched.items()}
    sharing = None
    if node is not None:
        sharing, shelf.note_use = node.sharing, node.uses.note
    indexes = Indexes(settings, shelf, gated.__getitem__, tasks, page_work, observed.connectivity, sharing)
    file = catalogue_file(settings)
    management = await shelf.blocking(Management, settings, file, observed, shelf, indexes, resources, node)
    return _Parts(shelf, tasks, indexes, management, node)


async def _upstreams(
    settings: Settings, resources: AsyncExitStack, given: Upstream | None, blocking: Blocking
) -> Callable[[str], Upstream]:
    """Open what asks the upstream of each index; those with credentials have connections of their own."""
    if given is not None:
        return lambda _: given
    connection = connection_of(settings)
    shared = await resources.enter_async_context(HttpUpstream(connection))
    own: dict[str, Upstream] = {}
    for index in settings.indexes:
        sources = credential_sources(index)
        if not index.sources and index.path is None and sources.has_any:
            credentials = await blocking(Credentials, sources)
            own[index.name] = await resources.enter_async_context(HttpUpstream(connection, credentials))
    return lambda name: own.get(name, shared)


def connection_of(settings: Settings) -> Connection:
    """Give how upstreams are reached."""
    agent = f"cheesebox/{__version__}"
    if settings.contact:
        agent += f" ({settings.contact})"
    return Connection(
        agent,
        settings.connect_timeout,
        settings.read_timeout,
        settings.max_connections,
        settings.proxy,
        settings.ca_bundle,
    )
