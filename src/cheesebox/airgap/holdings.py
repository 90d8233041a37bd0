"""What a cache holds of one index, as pages of the files that are there."""

from __future__ import annotations

import logging
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cheesebox.airgap.layout import page_without_upstream
from cheesebox.cache import envelope, offline
from cheesebox.cache.views import utc
from cheesebox.errors import CheeseboxError
from cheesebox.ports import Kind
from cheesebox.simple.names import ProjectName, project_of
from cheesebox.simple.paths import FilePath, filename_of
from cheesebox.simple.reading import read_project_page
from cheesebox.warming.filling import choose_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cheesebox.cache.index import Index
    from cheesebox.cache.shelf import Shelf
    from cheesebox.ports import Entry, Store
    from cheesebox.simple.model import ProjectPage
    from cheesebox.simple.policies import View
    from cheesebox.warming.filling import Wish

log = logging.getLogger(__name__)

_PAGE = ".page"


@dataclass(frozen=True, slots=True)
class HeldPage:
    """A page of the files that are cached; ``origin`` is its URL, the time is in seconds since the epoch."""

    page: ProjectPage
    origin: str
    fetched_at: float


def held_pages(index: Index, shelf: Shelf, view: View) -> dict[ProjectName, HeldPage]:
    """Give the pages of all projects that a file is cached of, as the view shows them. Blocks."""
    entries = [entry for entry in _entries(shelf) if entry.key.startswith(f"{index.name}/")]
    pages = {page.page.name: page for page in _stored(index, shelf.store, entries)}
    pages |= {page.page.name: page for page in _without_page(index, entries, pages)}
    view, now = offline.limited(view, index, reads_wheels=False), utc(shelf.clock())
    shown = {name: replace(held, page=offline.show(view, held.page, now)) for name, held in pages.items()}
    return {name: shown[name] for name in sorted(shown) if shown[name].page.files}


def wanted_pages(
    held: Mapping[ProjectName, HeldPage], wishes: Iterable[Wish], *, everything: bool
) -> tuple[dict[ProjectName, HeldPage], list[str]]:
    """Leave of the pages what is wanted; gives beside it what is wanted and not there. Pure."""
    by_project: defaultdict[ProjectName, list[Wish]] = defaultdict(list)
    for wish in wishes:
        by_project[wish.wanted.project].append(wish)
    kept: dict[ProjectName, HeldPage] = {}
    missing: list[str] = []
    for project, of_project in sorted(by_project.items()):
        if project not in held:
            missing += dict.fromkeys(str(wish.wanted) for wish in of_project)
            continue
        page = held[project].page
        chosen, not_there = choose_for(page, of_project, everything=everything)
        missing += not_there
        if chosen:
            kept[project] = replace(held[project], page=page.with_files(chosen.values()))
    return kept, missing


def _entries(shelf: Shelf) -> Iterator[Entry]:
    batch = shelf.catalogue.entries()
    while batch:
        yield from batch
        batch = shelf.catalogue.entries(after=batch[-1].key)


def _stored(index: Index, store: Store, entries: Iterable[Entry]) -> Iterator[HeldPage]:
    for entry in entries:
        if entry.kind is Kind.PAGE:
            try:
                yield _read(index, store, entry)
            except CheeseboxError as error:
                log.warning("%s is left out: %s", entry.key, error)


def _read(index: Index, store: Store, entry: Entry) -> HeldPage:
    blob = store.open(entry.key)
    if blob is None:
        raise CheeseboxError("it is gone from disk")
    with closing(blob):
        found = envelope.unpack(blob.read(0, blob.size))
    if found is None:
        raise CheeseboxError("it is damaged on disk")
    project = ProjectName(entry.key.rpartition("/")[2].removesuffix(_PAGE))
    page = read_project_page(found[1], entry.content_type, entry.location, project)
    is_foreign = not entry.origin.startswith(index.options.upstreams)
    index.learn(page, entry.origin, is_foreign=is_foreign)
    return HeldPage(page, entry.origin, entry.fetched_at)


def _without_page(
    index: Index, entries: Iterable[Entry], pages: Mapping[ProjectName, HeldPage]
) -> Iterator[HeldPage]:
    """Make pages of files that were asked for by URL alone, as lock files do."""
    lonely: defaultdict[ProjectName, list[Entry]] = defaultdict(list)
    for entry in entries:
        path = FilePath(entry.key.partition("/")[2])
        if entry.kind is Kind.FILE and index.local_path(entry.origin) == path:
            project = project_of(filename_of(path))
            if project is not None and project not in pages:
                lonely[project].append(entry)
    for project, files in lonely.items():
        named = ((filename_of(FilePath(entry.key)), entry.origin) for entry in files)
        page = page_without_upstream(project, named)
        yield HeldPage(page, index.page_url(project), max(entry.fetched_at for entry in files))
