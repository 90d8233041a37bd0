"""The parts of one cache, put together on a temporary directory as `cheesebox.app` does."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from cheesebox.adapters.disk_store import DiskStore
from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.cache.adoption import Adoption
from cheesebox.cache.blocking import Blocking
from cheesebox.cache.documents import Documents
from cheesebox.cache.downloads import Downloads, Persistence
from cheesebox.cache.eviction import Limits, Room
from cheesebox.cache.exchange import UpstreamExchange
from cheesebox.cache.files import Files, Want
from cheesebox.cache.flights import Tasks
from cheesebox.cache.freshness import Policy
from cheesebox.cache.index import Index, IndexOptions
from cheesebox.cache.lists import Lists
from cheesebox.cache.offers import Offers
from cheesebox.cache.origins import Origins
from cheesebox.cache.pages import Pages
from cheesebox.cache.relays import Relays
from cheesebox.cache.sharing import Alone
from cheesebox.cache.shelf import Shelf
from cheesebox.simple.names import ProjectName
from cheesebox.simple.negotiation import Coding, Format
from cheesebox.simple.paths import FilePath
from tests.cache.fakes import FILES, PAGES, Disk, ManualClock, PlannedUpstream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cheesebox.cache.files import OpenFile
    from cheesebox.cache.pages import PageAnswer
    from cheesebox.cache.sharing import Sharing
    from cheesebox.ports import Key, ListRenderer

DEMO = ProjectName("demo")


@dataclass
class House:
    """One cache; use it as an async context manager. Change the settings before that."""

    root: Path
    upstream: PlannedUpstream = field(default_factory=PlannedUpstream)
    clock: ManualClock = field(default_factory=ManualClock)
    limits: Limits = field(default_factory=lambda: Limits(max_size=1 << 30))
    policy: Policy = field(default_factory=Policy)
    disk_room: int | None = None
    capacity: int | None = None
    memory: int = 1 << 24
    max_page_size: int = 1 << 22
    max_file_size: int = 0
    upstream_url: str = PAGES
    upstream_files: str | None = FILES
    renderer: ListRenderer | None = None
    sharing: Callable[[House], Sharing] | None = None

    async def __aenter__(self) -> Self:
        self._resources = AsyncExitStack()
        store = DiskStore(self.root)
        self._resources.callback(store.close)
        store.prepare()
        self.catalogue = SqliteCatalogue(self.root / "catalogue.sqlite")
        self._resources.callback(self.catalogue.close)
        self.blocking = Blocking()
        self._resources.callback(self.blocking.close)
        self.disk = Disk(store, self.disk_room, self.capacity)
        self.room = Room(self.limits, self.disk, self.catalogue, self.blocking, self.clock)
        self.shelf = Shelf(self.disk, self.catalogue, self.room, self.blocking, self.clock)
        self.shelf.settle()
        self.tasks = Tasks()
        self._resources.push_async_callback(self.tasks.close)
        self._build(Alone() if self.sharing is None else self.sharing(self))
        return self

    def _build(self, sharing: Sharing) -> None:
        options = IndexOptions(
            "pypi", "/pypi", self.upstream_url, self.upstream_files, pages=self.policy, lists=self.policy
        )
        persistence = Persistence(
            retries=3, first_pause=0.0, longest_pause=0.0, max_file_size=self.max_file_size
        )
        self.index = Index(options, self.catalogue)
        asking = UpstreamExchange(self.upstream, self.blocking, self.clock, self.max_page_size)
        exchange = sharing.exchange(asking, self.shelf)
        self.documents = Documents(exchange, self.shelf, self.tasks, memory=self.memory)
        offers = Offers(self.index, self.shelf.catalogue, is_on=False)
        self.pages = Pages(self.index, self.documents, self.blocking, offers)
        self.origins = Origins(self.index, self.pages)
        supplies = sharing.supplies(self.upstream, self.policy.negative_for)
        self.downloads = Downloads(supplies, self.shelf, self.tasks, persistence)
        self.relays = Relays(sharing.slices(self.upstream), self.tasks, persistence, self.clock)
        self.adoption = Adoption(self.shelf, self.tasks)
        self.files = Files(self.index, self.origins, self.downloads, self.relays, self.adoption, self.shelf)
        if self.renderer is not None:
            self.lists = Lists(self.index, self.documents, self.shelf, self.renderer, self.tasks)

    async def __aexit__(self, *_: object) -> None:
        await self._resources.aclose()

    async def page(self, *, refresh: bool = False) -> PageAnswer:
        """Ask for the JSON page of ``demo``."""
        return await self.pages.project(DEMO, Format.JSON, Coding.IDENTITY, refresh=refresh)

    async def read(
        self, path: FilePath, start: int = 0, stop: int | None = None, want: Want = Want.REST
    ) -> bytes:
        """Open a file and read a slice of it."""
        opened = await self.files.open(path, want)
        return await drain(opened, start, stop)

    async def quiet(self) -> None:
        """Wait until no work goes on in the background."""
        while running := list(self.tasks._tasks):
            await asyncio.gather(*running, return_exceptions=True)

    def key(self, path: FilePath) -> Key:
        """Give the storage key."""
        return self.index.key(path)


async def drain(opened: OpenFile, start: int = 0, stop: int | None = None) -> bytes:
    """Read a slice of an open file and close it."""
    try:
        return b"".join([chunk async for chunk in opened.stream(start, stop)])
    finally:
        opened.close()


def hashed_path(content: bytes, filename: str = "demo-1.0-py3-none-any.whl") -> FilePath:
    """Give the path below the mount that promises this content."""
    digest = hashlib.blake2b(content, digest_size=32).hexdigest()
    return FilePath(f"packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{filename}")


def url_of(path: FilePath) -> str:
    """Give the upstream URL of a path."""
    return FILES + path.removeprefix("packages/")


def listed(path: FilePath, content: bytes, **more: Any) -> dict[str, Any]:
    """Describe a file as a project page does."""
    hashes = {"sha256": hashlib.sha256(content).hexdigest()}
    return {"filename": path.rpartition("/")[2], "url": url_of(path), "hashes": hashes, **more}
