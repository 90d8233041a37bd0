"""Builds the indexes of one application, each of its kind: an upstream's, a folder, or merged ones.

Each index is built once, with what it holds; what is shown of it below a mount is built for each
mount that it is shown below, its own and those of the indexes that have it as a source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from cheesebox.adapters.credentials import CredentialSources, without_userinfo
from cheesebox.adapters.folder_tree import FolderTree
from cheesebox.adapters.list_renderer import ProcessListRenderer
from cheesebox.cache.absences import Absences
from cheesebox.cache.adoption import Adoption
from cheesebox.cache.documents import Documents
from cheesebox.cache.downloads import Downloads, Persistence
from cheesebox.cache.exchange import UpstreamExchange
from cheesebox.cache.files import Files
from cheesebox.cache.folders import Folder, FolderLists, FolderSource
from cheesebox.cache.freshness import Policy
from cheesebox.cache.guard import Guard
from cheesebox.cache.index import Index, IndexOptions, links_prefix
from cheesebox.cache.listed import Listed, look
from cheesebox.cache.lists import Lists
from cheesebox.cache.memory import WeightedLru
from cheesebox.cache.merged import FOLDER, Merged, MergeRules
from cheesebox.cache.merged_lists import MergedLists
from cheesebox.cache.objects import index_of
from cheesebox.cache.offers import Offers
from cheesebox.cache.offline_lists import SwitchedLists
from cheesebox.cache.origins import Origins
from cheesebox.cache.pages import Pages
from cheesebox.cache.relays import Relays
from cheesebox.cache.sharing import Alone
from cheesebox.cache.source_pages import SourcePages
from cheesebox.cache.views import Views, utc
from cheesebox.cache.wheel_metadata import WheelMetadata
from cheesebox.errors import NotFound, SettingsError
from cheesebox.index_tables import ALL
from cheesebox.simple.matches import NO_MATCHES
from cheesebox.simple.moments import parse_moment
from cheesebox.simple.paths import FilePath
from cheesebox.simple.policies import AllowOnly, Deny, MinAge, Undated, View
from cheesebox.web.index_app import IndexApp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.connectivity import Connectivity
    from cheesebox.cache.copies import StoredCopy
    from cheesebox.cache.downloads import Download
    from cheesebox.cache.files import OpenFile
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.guard import Clearance
    from cheesebox.cache.merged_lists import ListSource
    from cheesebox.cache.origins import Origin
    from cheesebox.cache.pages import PageAnswer
    from cheesebox.cache.sharing import Sharing
    from cheesebox.cache.shelf import Shelf
    from cheesebox.cache.sources import Found, Source
    from cheesebox.ports import Key, Upstream
    from cheesebox.settings import IndexSettings, Settings
    from cheesebox.simple.names import ProjectName
    from cheesebox.simple.negotiation import Coding
    from cheesebox.simple.policies import Rule

_PAGE_DEPTH = 2
_PAGE_MEMORY_SHARE = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """Below which mount an index is shown: its own, or that of an index that has it as a source."""

    mount: str
    public_url: str | None
    below: str = ""

    def prefix(self, view: str) -> str:
        """Give what leads from a project page to the paths of the index."""
        return links_prefix(self.public_url, view, self.below, _PAGE_DEPTH)

    def source(self, name: str) -> Shown:
        """Give where a source is shown."""
        return replace(self, below=f"{self.below}{FOLDER}{name}/")


@dataclass(frozen=True, slots=True)
class _Held:
    """What one upstream's index consists of."""

    index: Index
    views: Views
    documents: Documents
    offers: Offers
    pages: Pages
    guard: Guard
    origins: Origins
    files: WheelMetadata
    lists: SwitchedLists
    downloads: Downloads
    plain_files: Files


class IndexSource:
    """An upstream's index as the source of a merged one: with its own policies, whoever asks."""

    def __init__(self, name: str, pages: Pages, held: _Held) -> None:
        self.name = name
        self.absence = pages.absence
        self.provenance = pages.provenance
        self.open = held.files.open
        self.clear_project = held.guard.clear_project
        self._pages = pages
        self._held = held

    def _view(self, asked: View) -> View:
        """Give this index's own view of the moment that is asked for."""
        views = self._held.views
        return views.at(asked.name.removeprefix("@")) if asked.name else views.plain

    async def find(self, project: ProjectName, view: View, *, refresh: bool = False) -> Found:
        """Find a project's page; raises `NotFound` or `UpstreamError`."""
        return await self._pages.find(project, self._view(view), refresh=refresh)

    async def legacy_json(
        self,
        project: ProjectName,
        version: str | None,
        coding: Coding,
        view: View,
        *,
        refresh: bool = False,
    ) -> PageAnswer:
        """Give a document of the legacy JSON API."""
        return await self._pages.legacy_json(project, version, coding, self._view(view), refresh=refresh)

    async def clear(self, path: FilePath, view: View) -> Clearance | None:
        """Clear a file or raise `FileWithheld`."""
        return await self._held.guard.clear(path, self._view(view))

    async def clear_named(self, project: ProjectName, filename: str, view: View) -> Clearance | None:
        """Clear a file by its name or raise `FileWithheld`."""
        return await self._held.guard.clear_named(project, filename, self._view(view))


class Indexes:
    """All indexes of one application. ``upstreams`` gives for each by name how its upstream is asked."""

    def __init__(
        self,
        settings: Settings,
        shelf: Shelf,
        upstreams: Callable[[str], Upstream],
        tasks: Tasks,
        page_work: Blocking,
        connectivity: Connectivity,
        sharing: Sharing | None = None,
    ) -> None:
        """``page_work`` reads and renders pages, in few threads; ``sharing``: by default, with nobody."""
        self._sharing = sharing or Alone()
        self._connectivity = connectivity
        self._page_work = page_work
        self._settings = settings
        self._shelf = shelf
        self._upstreams = upstreams
        self._tasks = tasks
        self._renderer = ProcessListRenderer()
        self._by_name: Mapping[str, IndexSettings] = {index.name: index for index in settings.indexes}
        self._copies: WeightedLru[Key, StoredCopy] = WeightedLru(settings.hot_size // 2)
        self.adoption = Adoption(shelf, tasks)
        self._absences = Absences(shelf)
        self._held = {i.name: self._hold(i) for i in settings.indexes if not i.sources and i.path is None}
        self._folders = {
            i.name: Folder(i.name, FolderTree(i.path), shelf, tasks)
            for i in settings.indexes
            if i.path is not None
        }

    def _hold(self, s: IndexSettings) -> _Held:
        settings, shelf, tasks = self._settings, self._shelf, self._tasks
        upstream = self._upstreams(s.name)
        asking = UpstreamExchange(upstream, self._page_work, shelf.clock, settings.max_page_size)
        exchange = self._sharing.exchange(asking, shelf)
        documents = Documents(exchange, shelf, tasks, memory=self._copies, connectivity=self._connectivity)
        persistence = Persistence(retries=settings.retries, max_file_size=settings.max_file_size)
        index = Index(index_options(s), shelf.catalogue, shelf.clock)
        views = Views(plain_view(s, shelf.clock()), Undated(s.undated), shelf.clock)
        offers = Offers(index, shelf.catalogue, is_on=s.extract_metadata)
        pages = Pages(index, documents, self._page_work, offers)
        guard = Guard(pages, documents, shelf.clock)
        origins = Origins(index, pages)
        downloads = Downloads(self._sharing.supplies(upstream, s.negative_for), shelf, tasks, persistence)
        relays = Relays(self._sharing.slices(upstream), tasks, persistence, shelf.clock)
        plain_files = Files(index, origins, downloads, relays, self.adoption, shelf, self._connectivity)
        files = WheelMetadata(index, plain_files, origins, pages, relays, offers, shelf, tasks)
        upstream_lists = Lists(index, documents, shelf, self._renderer, tasks)
        lists = SwitchedLists(upstream_lists, index, self._connectivity, shelf, tasks)
        return _Held(
            index, views, documents, offers, pages, guard, origins, files, lists, downloads, plain_files
        )

    def app(self, s: IndexSettings) -> IndexApp:
        """Build what answers below the mount of an index."""
        header, hot_file_max = self._settings.status_header.lower(), self._settings.hot_file_max
        if (held := self._held.get(s.name)) is not None:
            return IndexApp(
                s.name, held.views, held.pages, held.lists, held.guard, held.files, header, hot_file_max
            )
        source = self._source(s, Shown(s.mount.rstrip("/"), s.public_url))
        memory = self._settings.hot_size // _PAGE_MEMORY_SHARE
        pages = SourcePages(source, self._page_work, self._tasks, memory)
        views = Views(View(), Undated(s.undated), self._shelf.clock)
        return IndexApp(s.name, views, pages, self._list(s), source, source, header, hot_file_max)

    def _source(self, s: IndexSettings, shown: Shown) -> Source:
        if (folder := self._folders.get(s.name)) is not None:
            return FolderSource(folder, shown.prefix)
        if (held := self._held.get(s.name)) is not None:
            index = held.index.shown(shown.mount, shown.public_url, shown.below)
            return IndexSource(s.name, Pages(index, held.documents, self._page_work, held.offers), held)
        sources = [self._source(self._by_name[name], shown.source(name)) for name in s.sources]
        union = None if ALL in s.union else frozenset(s.union)
        return Merged(s.name, sources, MergeRules(dict(s.pins), union), self._absences)

    def _list(self, s: IndexSettings) -> SwitchedLists | FolderLists | MergedLists:
        if (folder := self._folders.get(s.name)) is not None:
            return FolderLists(folder)
        if (held := self._held.get(s.name)) is not None:
            return held.lists
        return MergedLists(s.name, self._leaves(s), self._shelf, self._renderer, self._tasks)

    def _leaves(self, s: IndexSettings) -> list[ListSource]:
        leaves: list[ListSource] = []
        for name in s.sources:
            found = self._list(self._by_name[name])
            leaves += found.sources if isinstance(found, MergedLists) else [found]
        return leaves

    def forgive(self) -> None:
        """Forget the failures of all upstreams: whoever asks them next shall not wait."""
        for held in self._held.values():
            held.documents.forgive()
            held.index.forgive()

    def forget(self, keys: Sequence[Key]) -> None:
        """Let go of what memory holds of stored objects that are gone."""
        for held in self._held.values():
            for key in keys:
                held.documents.drop_from_memory(key)

    def downloads(self) -> list[Download]:
        """Give the downloads that are under way."""
        return [download for held in self._held.values() for download in held.downloads.under_way()]

    async def listed(self, project: ProjectName) -> list[Listed]:
        """Give what the cached pages of a project say, for each upstream's index that has one."""
        now = self._shelf.clock()
        looks = [
            await look(name, held.pages, project, held.views.plain, now) for name, held in self._held.items()
        ]
        return [listed for listed in looks if listed is not None]

    def documents(self, name: str) -> Documents:
        """Give the documents of an upstream's index, for those who show or count them."""
        return self._held[name].documents

    async def open_here(self, key: Key) -> OpenFile | None:
        """Open a file that is stored or growing here, without asking anyone."""
        held = self._held.get(index_of(key))
        return None if held is None else await held.plain_files.here(key)

    async def find_origin(self, key: Key) -> Origin:
        """Find where a stored file came from; raises `NotFound` or `UpstreamError`."""
        name, _, path = key.partition("/")
        held = self._held.get(name)
        if held is None:
            raise NotFound(f"no index with an upstream is called {name}")
        return await held.origins.find(FilePath(path))


def index_options(s: IndexSettings) -> IndexOptions:
    """Give what the use cases need to know of an upstream's index."""
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
    return IndexOptions(
        s.name,
        s.mount.rstrip("/"),
        without_userinfo(s.upstream),
        s.upstream_files and without_userinfo(s.upstream_files),
        s.public_url,
        s.rewrite_provenance,
        pages,
        lists=replace(pages, fresh_for=s.list_fresh_for),
        mirrors=tuple(map(without_userinfo, s.upstreams[1:])),
        missing_on_403=s.missing_on_403,
    )


def credential_sources(s: IndexSettings) -> CredentialSources:
    """Give where the credentials of an upstream's index come from."""
    return CredentialSources(
        upstreams=s.upstreams or (s.upstream,),
        hosts=s.credential_hosts,
        username=s.username,
        password=s.password,
        password_file=s.password_file,
        token=s.token,
        token_file=s.token_file,
        netrc=s.netrc,
        keyring=s.keyring,
        client_cert=s.client_cert,
        client_key=s.client_key,
    )


def plain_view(s: IndexSettings, now: float) -> View:
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
