"""Project pages, legacy JSON and provenance in the representation that a client asks for.

A page is read, filtered, rewritten, rendered and compressed once per body and representation, in a
thread; what came of it is kept with the copy that it was made of, under a name that tells the rules
of the view and its epoch, so that no view ever gets what was made for another one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from cheesebox.cache import offline
from cheesebox.cache.copies import Document
from cheesebox.cache.origins import LinkTable
from cheesebox.cache.representations import Representation, represent
from cheesebox.cache.sources import Found
from cheesebox.cache.views import refusal, settled, utc
from cheesebox.errors import UnreadablePage
from cheesebox.ports import Kind
from cheesebox.simple.legacy import listed_files, requested_files, rewrite_project_json
from cheesebox.simple.negotiation import Coding, Format
from cheesebox.simple.policies import Epoch, View
from cheesebox.simple.reading import read_project_page
from cheesebox.simple.write_html import write_project_html
from cheesebox.simple.write_json import write_project_json

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import datetime

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.copies import Answered, Standing, StoredCopy
    from cheesebox.cache.documents import Documents
    from cheesebox.cache.index import Index
    from cheesebox.cache.offers import Offers
    from cheesebox.cache.sources import Absence
    from cheesebox.ports import Key
    from cheesebox.simple.model import ProjectPage
    from cheesebox.simple.names import ProjectName
    from cheesebox.simple.policies import Rule

    _Writer = Callable[..., bytes]

UPSTREAM_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
)
_JSON = "application/json"
_PROVENANCE_JSON = "application/vnd.pypi.integrity.v1+json"
_LINK_WEIGHT = 2500  # bytes that one file of a page takes in memory, about: a dict of a dozen strings
_TEXT_WEIGHT = 100  # bytes that a version or a time takes, about
_MADE_KEPT = 36
"""Representations kept with one copy: views of the past are as many as there are moments."""
_PLAIN = View()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """A representation and how its document came to be served."""

    representation: Representation
    answered: Answered


@dataclass(frozen=True, slots=True)
class _Made:
    """Names what was made of a copy.

    By which rules, in which epoch of the view, with links below what, with which metadata offered.
    """

    rules: tuple[Rule, ...]
    epoch: int
    below: str
    offers: int
    content_type: str
    coding: Coding


class Pages:
    """The pages of one index."""

    def __init__(self, index: Index, documents: Documents, blocking: Blocking, offers: Offers) -> None:
        self._index = index
        self._offers = offers
        self._documents = documents
        self._blocking = blocking

    async def project(
        self,
        project: ProjectName,
        form: Format,
        coding: Coding,
        view: View = _PLAIN,
        *,
        refresh: bool = False,
    ) -> PageAnswer:
        """Give a project page; raises `NotFound` or `UpstreamError`."""
        answered = await self._documents.get(self._page_document(project, view), refresh=refresh)
        now = utc(self._documents.clock())
        epoch = await self._epoch(answered.copy, view, now, lambda copy: self._read(copy, project))
        answered, view = self._within_reach(answered, view)
        write = write_project_json if form is Format.JSON else write_project_html

        def render(copy: StoredCopy) -> bytes:
            return self._render(self._show(view, self._read(copy, project), now), view, write)

        return await self._represent(
            answered, self._name(view, epoch, form.content_type, coding), render, epoch
        )

    async def find(self, project: ProjectName, view: View = _PLAIN, *, refresh: bool = False) -> Found:
        """Find a project's page, as a merged index wants it; raises `NotFound` or `UpstreamError`."""
        answered = await self._documents.get(self._page_document(project, view), refresh=refresh)
        copy, now = answered.copy, utc(self._documents.clock())
        epoch = await self._epoch(copy, view, now, lambda copy: self._read(copy, project))
        if epoch.ends is not None:
            answered = answered.ending(epoch.ends.timestamp())
        answered, view = self._within_reach(answered, view)
        entry = copy.entry
        body = (entry.key, entry.digest, entry.location, entry.content_type)
        return Found(
            answered,
            (*body, view.rules, epoch.number, self._offers.state),
            lambda: self._show(view, self._read(copy, project), now),
            lambda: self._index.page_links(view.name),
        )

    def _show(self, view: View, page: ProjectPage, now: datetime) -> ProjectPage:
        return self._offers.advertise(offline.show(view, page, now))

    def show_anew(self, project: ProjectName) -> None:
        """Make what is shown of a project's page once more: other metadata is offered."""
        self._documents.show_anew(self.key(project))

    def _within_reach(self, answered: Answered, view: View) -> tuple[Answered, View]:
        """Show what can be had: while offline, what is in the cache."""
        if not self._documents.connectivity.is_offline:
            return answered, view
        limited = offline.limited(view, self._index, reads_wheels=self._offers.is_on)
        return offline.once(answered), limited

    def absence(self, project: ProjectName) -> Absence | None:
        """Give what is remembered of the last 404 for a project."""
        return self._documents.absence(self._page_document(project))

    def key(self, project: ProjectName) -> Key:
        """Give the storage key of a project's page."""
        return self._index.key(f"simple/{project}.page")

    async def known(self, project: ProjectName) -> tuple[Standing, ProjectPage] | None:
        """Give what is cached of a project's page, without its files; asks no one."""
        standing = self._documents.standing(self.key(project))
        if standing is not None and standing.head is not None:
            return standing, standing.head
        copy = await self._documents.peek(self._page_document(project))
        if copy is None:
            return None
        page: ProjectPage = await self._once(
            copy,
            "head",
            lambda: self._read(copy, project).with_files(()),
            lambda head: _TEXT_WEIGHT * (10 + len(head.versions)),
        )
        return copy.standing, page

    async def look(self, project: ProjectName, use: Callable[[StoredCopy, ProjectPage], T]) -> T | None:
        """Give what ``use`` makes, in a thread, of a project's cached page; asks no one, keeps nothing."""
        copy = await self._documents.peek(self._page_document(project))
        if copy is None:
            return None
        return await self._blocking(lambda: use(copy, self._read(copy, project)))

    async def links(self, project: ProjectName, *, refresh: bool = False) -> LinkTable:
        """Give the files that the project's page names, withheld or not."""
        return (await self.named(project, refresh=refresh))[1]

    async def named(
        self, project: ProjectName, view: View = _PLAIN, *, refresh: bool = False
    ) -> tuple[StoredCopy, LinkTable]:
        """Give the same and what they were read from, as fresh as the view asks for."""
        answered = await self._documents.get(self._page_document(project, view), refresh=refresh)
        copy = answered.copy
        table: LinkTable = await self._once(
            copy,
            "links",
            lambda: LinkTable(self._read(copy, project), self._index),
            lambda t: _LINK_WEIGHT * len(t),
        )
        return copy, table

    async def legacy_json(
        self,
        project: ProjectName,
        version: str | None,
        coding: Coding,
        view: View = _PLAIN,
        *,
        refresh: bool = False,
    ) -> PageAnswer:
        """Give the legacy JSON document of a project or one of its versions.

        Raises `FileWithheld` when all files of the version are withheld.
        """
        path = f"pypi/{project}/{version}/json" if version else f"pypi/{project}/json"
        rewrite = self._index.url_rewriter(path.count("/"), view.name)

        def check(body: bytes, _content_type: str, _url: str) -> None:
            rewrite_project_json(body, rewrite)

        document = self._document(path, Kind.JSON, _JSON, check, view)
        answered = await self._documents.get(document, refresh=refresh)
        now = utc(self._documents.clock())
        epoch = await self._epoch(answered.copy, view, now, lambda copy: listed_files(copy.body, project))
        answered, view = self._within_reach(answered, view)

        def render(copy: StoredCopy) -> bytes:
            if view.is_plain:
                return rewrite_project_json(copy.body, rewrite)
            withheld = view.withheld(listed_files(copy.body, project), now)
            requested = requested_files(copy.body) if version else frozenset()
            if requested and requested <= withheld.keys():
                raise refusal(f"{project} {version}", withheld[min(requested)])
            return rewrite_project_json(copy.body, rewrite, withheld)

        return await self._represent(answered, self._name(view, epoch, _JSON, coding), render, epoch)

    async def provenance(
        self, project: ProjectName, version: str, filename: str, coding: Coding, *, refresh: bool = False
    ) -> PageAnswer:
        """Give the provenance object of a file (PEP 740), unchanged."""
        path = f"integrity/{project}/{version}/{filename}/provenance"
        document = self._document(path, Kind.PROVENANCE, _PROVENANCE_JSON, _check_provenance)
        answered = await self._documents.get(document, refresh=refresh)
        name = _Made((), 0, "", 0, _PROVENANCE_JSON, coding)
        return await self._represent(answered, name, lambda copy: copy.body, Epoch(0, None))

    def _page_document(self, project: ProjectName, view: View = _PLAIN) -> Document:
        def check(body: bytes, content_type: str, url: str) -> None:
            self._index.learn(read_project_page(body, content_type, url, project), url)

        return Document(
            self.key(project),
            Kind.PAGE,
            self._index.page_url(project),
            UPSTREAM_ACCEPT,
            settled(self._index.options.pages, view),
            check,
            mirrored=self._index.mirrored_page(f"{project}/"),
            missing=self._index.missing,
        )

    def _document(
        self,
        path: str,
        kind: Kind,
        accept: str,
        check: Callable[[bytes, str, str], None],
        view: View = _PLAIN,
    ) -> Document:
        return Document(
            self._index.key(f"{path}.page"),
            kind,
            self._index.site_url(path),
            accept,
            settled(self._index.options.pages, view),
            check,
            mirrored=self._index.mirrored_site(path),
            missing=self._index.missing,
        )

    def _read(self, copy: StoredCopy, project: ProjectName) -> ProjectPage:
        page = read_project_page(copy.body, copy.entry.content_type, copy.entry.location, project)
        # A stored page outlives a catalogue that was lost, and a change of the upstream.
        self._index.learn(page, copy.entry.origin, is_foreign=copy.is_foreign)
        copy.standing.head = copy.standing.head or page.with_files(())
        return page

    def _render(self, page: ProjectPage, view: View, write: _Writer) -> bytes:
        return write(page, self._index.page_links(view.name), provenance=self._index.provenance_rewriter())

    def _name(self, view: View, epoch: Epoch, content_type: str, coding: Coding) -> _Made:
        # Relative links hold below any view; one body may be shown below several mounts.
        below = self._index.links_lead + (view.name if self._index.options.public_url else "")
        return _Made(view.rules, epoch.number, below, self._offers.state, content_type, coding)

    async def _epoch(
        self, copy: StoredCopy, view: View, now: datetime, read: Callable[[StoredCopy], ProjectPage]
    ) -> Epoch:
        """Tell which epoch of the view it is for a copy; its times are found once."""
        if view.is_plain:
            return Epoch(0, None)
        changes: tuple[datetime, ...] = await self._once(
            copy,
            ("changes", view.rules),
            lambda: view.changes(read(copy)),
            lambda found: _TEXT_WEIGHT * len(found),
        )
        return view.epoch(changes, now)

    async def _represent(
        self, answered: Answered, name: _Made, render: Callable[[StoredCopy], bytes], epoch: Epoch
    ) -> PageAnswer:
        copy = answered.copy
        if epoch.ends is not None:
            answered = answered.ending(epoch.ends.timestamp())
        plain = await self._once(
            copy,
            replace(name, coding=Coding.IDENTITY),
            lambda: represent(render(copy), name.content_type, Coding.IDENTITY),
            _weigh,
        )
        if name.coding is Coding.IDENTITY:
            return PageAnswer(plain, answered)
        coded = await self._once(
            copy, name, lambda: represent(plain.body, name.content_type, name.coding), _weigh
        )
        return PageAnswer(coded, answered)

    async def _once(
        self, copy: StoredCopy, name: Hashable, make: Callable[[], Any], weigh: Callable[[Any], int]
    ) -> Any:
        """Make something of a copy once, however many ask for it meanwhile."""
        found = copy.derived.get(name)
        if found is None:
            found = copy.derived[name] = self._blocking(make)
            found.add_done_callback(lambda done: self._keep(copy, name, done, weigh))
        return await asyncio.shield(found) if isinstance(found, asyncio.Future) else found

    def _keep(
        self, copy: StoredCopy, name: Hashable, done: asyncio.Future[Any], weigh: Callable[[Any], int]
    ) -> None:
        if done.cancelled() or done.exception() is not None:
            copy.derived.pop(name, None)
        else:
            self._documents.derive(copy, name, done.result(), weigh(done.result()))
            self._let_go(copy)

    def _let_go(self, copy: StoredCopy) -> None:
        """Keep the representations that were made last."""
        made = [(name, value) for name, value in copy.derived.items() if isinstance(value, Representation)]
        for name, value in made[:-_MADE_KEPT]:
            self._documents.underive(copy, name, _weigh(value))


def _weigh(made: Representation) -> int:
    return len(made.body)


def _check_provenance(body: bytes, _content_type: str, url: str) -> None:
    try:
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise UnreadablePage(f"{url}: not a provenance object: {error}") from error
