"""The composition root: builds the application of its parts, starts and stops them.

Nothing happens at import, and there are no globals: all that an application holds hangs on its `App`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from cheesebox import __version__
from cheesebox.adapters.disk_store import DiskStore
from cheesebox.adapters.http_upstream import Connection, HttpUpstream
from cheesebox.adapters.list_renderer import ProcessListRenderer
from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.cache.adoption import Adoption
from cheesebox.cache.blocking import Blocking
from cheesebox.cache.documents import Documents
from cheesebox.cache.downloads import Downloads, Persistence
from cheesebox.cache.eviction import Limits, Room
from cheesebox.cache.files import Files
from cheesebox.cache.flights import Tasks
from cheesebox.cache.freshness import Policy
from cheesebox.cache.guard import Guard
from cheesebox.cache.index import Index, IndexOptions
from cheesebox.cache.lists import Lists
from cheesebox.cache.origins import Origin, Origins
from cheesebox.cache.pages import Pages
from cheesebox.cache.relays import Relays
from cheesebox.cache.shelf import Shelf
from cheesebox.cache.views import Views, utc
from cheesebox.errors import CheeseboxError, NotFound, SettingsError, StoreError
from cheesebox.simple.matches import NO_MATCHES
from cheesebox.simple.moments import parse_moment
from cheesebox.simple.paths import FilePath
from cheesebox.simple.policies import AllowOnly, Deny, MinAge, Undated, View
from cheesebox.web.access_log import AccessLog, to_logger
from cheesebox.web.hot import HotTable
from cheesebox.web.hot_lane import HotLane
from cheesebox.web.index_app import IndexApp
from cheesebox.web.own import OwnEndpoints
from cheesebox.web.site import Site
from cheesebox.web.statistics import AnswerCounter, Statistics

if TYPE_CHECKING:
    from cheesebox.ports import Clock, Key, Totals, Upstream
    from cheesebox.settings import IndexSettings, Settings
    from cheesebox.simple.policies import Rule
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
        self, settings: Settings, *, upstream: Upstream | None, clock: Clock, access_sink: Sink
    ) -> None:
        self.settings = settings
        self._given_upstream = upstream
        self._clock = clock
        self._counter = AnswerCounter()
        self._access_log = AccessLog(access_sink) if settings.access_log else None
        table = HotTable(settings.hot_size // 2)
        self.hot_lane = HotLane(table, self._counter, self._access_log, self._touch, clock)
        self._resources = AsyncExitStack()
        self._parts: _Parts | None = None
        self._site: Site | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            if self._site is None:
                raise CheeseboxError("the application has not been started: its lifespan did not run")
            await self._site(scope, receive, send)
        else:
            raise CheeseboxError(f"nothing here answers {scope['type']}")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except CheeseboxError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the store and the catalogue; raises `SettingsError` when that can't be."""
        try:
            self._parts = await _open(self.settings, self._resources, self._given_upstream, self._clock)
            self._site = self._build_site(self._parts)
            self._parts.shelf.room.after_eviction.append(self.hot_lane.table.unmap)
            self._parts.start_housekeeping(self.hot_lane)
        except BaseException:
            await self._resources.aclose()
            raise

    async def stop(self) -> None:
        """End downloads, write down what is counted, give the directory free."""
        self._site = None
        self.hot_lane.table.clear()
        self.hot_lane.settle()
        if self._access_log is not None:
            self._access_log.flush()
        await self._resources.aclose()

    def _build_site(self, parts: _Parts) -> Site:
        mounts = {
            index.mount.rstrip("/"): parts.index_app(index, self.settings) for index in self.settings.indexes
        }
        own = OwnEndpoints(lambda: self._site is not None)
        return Site(mounts, own, self._counter, self._access_log, self.hot_lane.table)

    def _touch(self, key: Key, now: float, hits: int) -> None:
        if self._parts is not None:
            self._parts.shelf.catalogue.touch(key, now, hits)

    def statistics(self) -> Statistics:
        """Count the answers since the start."""
        self.hot_lane.settle()
        return self._counter.statistics()

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
) -> App:
    """Build the application.

    ``upstream`` and ``clock`` stand in for the real ones in tests; ``access_sink`` takes the access
    log in batches.
    """
    return App(settings, upstream=upstream, clock=clock, access_sink=access_sink)


class _Parts:
    """The opened parts of one application."""

    def __init__(
        self, settings: Settings, shelf: Shelf, upstream: Upstream, tasks: Tasks, page_work: Blocking
    ) -> None:
        self.shelf = shelf
        self._page_work = page_work
        self._tasks = tasks
        self._persistence = Persistence(retries=settings.retries, max_file_size=settings.max_file_size)
        self._documents = Documents(
            upstream,
            shelf,
            tasks,
            memory=settings.hot_size // 2,
            max_page_size=settings.max_page_size,
            work=page_work,
        )
        self._downloads = Downloads(upstream, shelf, tasks, self._persistence)
        self._relays = Relays(upstream, tasks, self._persistence, shelf.clock)
        self._adoption = Adoption(shelf, tasks)
        self._origins: dict[str, Origins] = {}

    def index_app(self, options: IndexSettings, settings: Settings) -> IndexApp:
        """Build what answers below the mount of one index."""
        index = Index(_index_options(options), self.shelf.catalogue)
        views = Views(_plain_view(options, self.shelf.clock()), Undated(options.undated), self.shelf.clock)
        pages = Pages(index, self._documents, self._page_work)
        guard = Guard(pages, self._documents, self.shelf.clock)
        origins = Origins(index, pages)
        self._origins[index.name] = origins
        files = Files(index, origins, self._downloads, self._relays, self._adoption, self.shelf)
        lists = Lists(index, self._documents, self.shelf, ProcessListRenderer(), self._tasks)
        header = settings.status_header.lower()
        return IndexApp(views, pages, lists, guard, files, header, settings.hot_file_max)

    def start_housekeeping(self, lane: HotLane) -> None:
        """Begin what goes on beside the answers."""
        self._tasks.start(self._flush_uses(lane), "flush uses")
        self._tasks.start(self._sweep_unused(), "sweep unused")
        self._adoption.is_over = self.shelf.catalogue.fact("rebuilt") is not None
        if not self._adoption.is_over:
            self._tasks.start(self._rebuild(), "rebuild catalogue")

    async def _flush_uses(self, lane: HotLane) -> None:
        while True:
            await asyncio.sleep(_FLUSH_EVERY)
            lane.settle()
            try:
                await self.shelf.blocking(self.shelf.catalogue.flush)
            except StoreError as error:
                log.error("uses not written down: %s", error)

    async def _sweep_unused(self) -> None:
        while True:
            try:
                if removed := await self.shelf.room.sweep():
                    log.info("removed %d objects that were not used for long", removed)
            except StoreError as error:
                log.error("unused objects not removed: %s", error)
            await asyncio.sleep(_SWEEP_EVERY)

    async def _rebuild(self) -> None:
        kept = await self._adoption.rebuild(self._find_origin)
        if kept:
            log.info("catalogue rebuilt: %d objects found on disk", kept)
        await self.shelf.blocking(self.shelf.catalogue.remember, "rebuilt", "1")
        self._adoption.is_over = True

    async def _find_origin(self, key: Key) -> Origin:
        name, _, path = key.partition("/")
        origins = self._origins.get(name)
        if origins is None:
            raise NotFound(f"no index is called {name}")
        return await origins.find(FilePath(path))


async def _open(
    settings: Settings, resources: AsyncExitStack, upstream: Upstream | None, clock: Clock
) -> _Parts:
    store = DiskStore(settings.cache_dir)
    resources.callback(store.close)
    blocking, page_work = Blocking(), Blocking(_PAGE_THREADS)
    resources.callback(page_work.close)
    resources.callback(blocking.close)
    await blocking(store.prepare)
    catalogue = await blocking(SqliteCatalogue, settings.cache_dir / "catalogue.sqlite")
    resources.callback(catalogue.close)
    resources.callback(blocking.close)  # before the catalogue: calls under way still use it
    limits = Limits(settings.max_size, settings.max_entries, settings.min_free, settings.inactive)
    shelf = Shelf(store, catalogue, Room(limits, store, catalogue, blocking, clock), blocking, clock)
    await blocking(shelf.settle)
    if upstream is None:
        upstream = await resources.enter_async_context(HttpUpstream(_connection(settings)))
    tasks = Tasks()
    resources.push_async_callback(tasks.close)
    resources.callback(shelf.close)
    return _Parts(settings, shelf, upstream, tasks, page_work)


def _connection(settings: Settings) -> Connection:
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


def _index_options(s: IndexSettings) -> IndexOptions:
    pages = Policy(
        fresh_for=s.fresh_for,
        stale_for=s.stale_for,
        negative_for=s.negative_for,
        refresh_patience=s.refresh_patience,
        retry_after=s.retry_after,
        retry_max=s.retry_max,
        full_refetch_after=s.full_refetch_after,
        refresh_min_age=s.refresh_min_age,
    )
    lists = replace(pages, fresh_for=s.list_fresh_for)
    return IndexOptions(
        s.name, s.mount, s.upstream, s.upstream_files, s.public_url, s.rewrite_provenance, pages, lists
    )


def _plain_view(s: IndexSettings, now: float) -> View:
    """Put the policies of an index together; raises `SettingsError`."""
    undated = Undated(s.undated)
    rules: list[Rule] = []
    if s.min_age:
        rules.append(MinAge(timedelta(seconds=s.min_age), s.exempt or NO_MATCHES, undated))
    if s.deny is not None:
        rules.append(Deny(s.deny))
    if s.allow is not None:
        rules.append(AllowOnly(s.allow))
    if s.only is not None:
        rules.append(s.only)
    view = View(tuple(rules))
    if s.default_date is None:
        return view
    moment = parse_moment(s.default_date)
    if moment >= utc(now):
        raise SettingsError(f"default_date = {s.default_date!r}: a moment that has passed is allowed (UTC)")
    return view.stopped_at(moment, undated)
