"""Builds the indexes of one application, each of its kind: an upstream's, a folder, or merged ones.

Each index is built once, with what it holds; what is shown of it below a mount is built for each
mount that it is shown below, its own and those of the indexes that have it as a source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cheesebox.adapters.credentials import CredentialSources, without_userinfo
from cheesebox.adapters.folder_tree import FolderTree
from cheesebox.adapters.list_renderer import ProcessListRenderer
from cheesebox.cache.adoption import Adoption
from cheesebox.cache.documents import Documents
from cheesebox.cache.downloads import Downloads, Persistence
from cheesebox.cache.files import Files
from cheesebox.cache.folders import Folder, FolderLists, FolderSource
from cheesebox.cache.freshness import Policy
from cheesebox.cache.index import Index, IndexOptions, links_prefix
from cheesebox.cache.lists import Lists
from cheesebox.cache.memory import WeightedLru
from cheesebox.cache.merged import FOLDER, Merged, MergeRules
from cheesebox.cache.merged_lists import MergedLists
from cheesebox.cache.origins import Origins
from cheesebox.cache.pages import Pages
from cheesebox.cache.relays import Relays
from cheesebox.cache.source_pages import SourcePages
from cheesebox.errors import NotFound
from cheesebox.index_tables import ALL
from cheesebox.simple.paths import FilePath
from cheesebox.web.index_app import IndexApp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cheesebox.cache.documents import StoredCopy
    from cheesebox.cache.files import OpenFile, Want
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.merged_lists import ListSource
    from cheesebox.cache.origins import Origin
    from cheesebox.cache.shelf import Shelf
    from cheesebox.cache.sources import Source
    from cheesebox.ports import Key, Upstream
    from cheesebox.settings import IndexSettings, Settings

_PAGE_DEPTH = 2
_PAGE_MEMORY_SHARE = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """Below which mount an index is shown: its own, or that of an index that has it as a source."""

    mount: str
    public_url: str | None
    below: str = ""

    def source(self, name: str) -> Shown:
        """Give where a source is shown."""
        return replace(self, below=f"{self.below}{FOLDER}{name}/")


@dataclass(frozen=True, slots=True)
class _Held:
    """What one upstream's index consists of."""

    index: Index
    documents: Documents
    origins: Origins
    files: Files
    lists: Lists


class IndexSource:
    """An upstream's index as the source of a merged one."""

    def __init__(self, pages: Pages, files: Files, name: str) -> None:
        self.name = name
        self.find = pages.find
        self.absence = pages.absence
        self.legacy_json = pages.legacy_json
        self.provenance = pages.provenance
        self._files = files

    async def open(self, path: FilePath, want: Want) -> OpenFile:
        """Open a file of this index."""
        return await self._files.open(path, want)


class Indexes:
    """All indexes of one application. ``upstreams`` gives for each by name how its upstream is asked."""

    def __init__(
        self, settings: Settings, shelf: Shelf, upstreams: Callable[[str], Upstream], tasks: Tasks
    ) -> None:
        self._settings = settings
        self._shelf = shelf
        self._upstreams = upstreams
        self._tasks = tasks
        self._renderer = ProcessListRenderer()
        self._by_name: Mapping[str, IndexSettings] = {index.name: index for index in settings.indexes}
        self._copies: WeightedLru[Key, StoredCopy] = WeightedLru(settings.hot_size // 2)
        self.adoption = Adoption(shelf, tasks)
        self._held = {i.name: self._hold(i) for i in settings.indexes if not i.sources and i.path is None}
        self._folders = {
            i.name: Folder(i.name, FolderTree(i.path), shelf, tasks)
            for i in settings.indexes
            if i.path is not None
        }

    def _hold(self, s: IndexSettings) -> _Held:
        settings, shelf, tasks = self._settings, self._shelf, self._tasks
        upstream = self._upstreams(s.name)
        documents = Documents(
            upstream, shelf, tasks, memory=self._copies, max_page_size=settings.max_page_size
        )
        persistence = Persistence(retries=settings.retries, max_file_size=settings.max_file_size)
        index = Index(index_options(s), shelf.catalogue, shelf.clock)
        origins = Origins(index, Pages(index, documents, shelf.blocking))
        files = Files(
            index,
            origins,
            Downloads(upstream, shelf, tasks, persistence),
            Relays(upstream, tasks, persistence, shelf.clock),
            self.adoption,
            shelf,
        )
        lists = Lists(index, documents, shelf, self._renderer, tasks)
        return _Held(index, documents, origins, files, lists)

    def app(self, s: IndexSettings) -> IndexApp:
        """Build what answers below the mount of an index."""
        shown = Shown(s.mount, s.public_url)
        header, hot_file_max = self._settings.status_header.lower(), self._settings.hot_file_max
        if (held := self._held.get(s.name)) is not None:
            pages = Pages(held.index, held.documents, self._shelf.blocking)
            return IndexApp(pages, held.lists, held.files, header, hot_file_max)
        source = self._source(s, shown)
        memory = self._settings.hot_size // _PAGE_MEMORY_SHARE
        made = SourcePages(source, self._shelf.blocking, self._tasks, memory)
        return IndexApp(made, self._list(s), source, header, hot_file_max)

    def _source(self, s: IndexSettings, shown: Shown) -> Source:
        if (folder := self._folders.get(s.name)) is not None:
            return FolderSource(folder, links_prefix(shown.public_url, shown.below, _PAGE_DEPTH))
        if (held := self._held.get(s.name)) is not None:
            index = held.index.shown(shown.mount, shown.public_url, shown.below)
            return IndexSource(Pages(index, held.documents, self._shelf.blocking), held.files, s.name)
        sources = [self._source(self._by_name[name], shown.source(name)) for name in s.sources]
        union = None if ALL in s.union else frozenset(s.union)
        return Merged(s.name, sources, MergeRules(dict(s.pins), union))

    def _list(self, s: IndexSettings) -> Lists | FolderLists | MergedLists:
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
        s.mount,
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
