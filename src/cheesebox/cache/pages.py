"""Project pages, legacy JSON and provenance in the representation that a client asks for.

A page is read, rewritten, rendered and compressed once per body and representation, in a thread;
what came of it is kept with the copy that it was made of.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from cheesebox.cache.documents import Document
from cheesebox.cache.origins import LinkTable
from cheesebox.cache.representations import Representation, represent
from cheesebox.errors import UnreadablePage
from cheesebox.ports import Kind
from cheesebox.simple.legacy import rewrite_project_json
from cheesebox.simple.negotiation import Coding, Format
from cheesebox.simple.reading import read_project_page
from cheesebox.simple.write_html import write_project_html
from cheesebox.simple.write_json import write_project_json

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.documents import Answered, Documents, StoredCopy
    from cheesebox.cache.index import Index
    from cheesebox.simple.model import ProjectPage
    from cheesebox.simple.names import ProjectName

UPSTREAM_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
)
_JSON = "application/json"
_PROVENANCE_JSON = "application/vnd.pypi.integrity.v1+json"
_LINK_WEIGHT = 2500  # bytes that one file of a page takes in memory, about: a dict of a dozen strings


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """A representation and how its document came to be served."""

    representation: Representation
    answered: Answered


class Pages:
    """The pages of one index."""

    def __init__(self, index: Index, documents: Documents, blocking: Blocking) -> None:
        self._index = index
        self._documents = documents
        self._blocking = blocking

    async def project(
        self, project: ProjectName, form: Format, coding: Coding, *, refresh: bool = False
    ) -> PageAnswer:
        """Give a project page; raises `NotFound` or `UpstreamError`."""
        answered = await self._documents.get(self._page_document(project), refresh=refresh)
        render = self._render_json if form is Format.JSON else self._render_html
        return await self._represent(
            answered, form.content_type, coding, lambda copy: render(self._read(copy, project))
        )

    async def links(self, project: ProjectName, *, refresh: bool = False) -> LinkTable:
        """Give the files that the project's page names."""
        answered = await self._documents.get(self._page_document(project), refresh=refresh)
        copy = answered.copy
        table: LinkTable = await self._once(
            copy,
            "links",
            lambda: LinkTable(self._read(copy, project), self._index),
            lambda t: _LINK_WEIGHT * len(t),
        )
        return table

    async def legacy_json(
        self, project: ProjectName, version: str | None, coding: Coding, *, refresh: bool = False
    ) -> PageAnswer:
        """Give the legacy JSON document of a project or one of its versions."""
        path = f"pypi/{project}/{version}/json" if version else f"pypi/{project}/json"
        rewrite = self._index.url_rewriter(depth=path.count("/"))

        def check(body: bytes, _content_type: str, _url: str) -> None:
            rewrite_project_json(body, rewrite)

        document = self._document(path, Kind.JSON, _JSON, check)
        answered = await self._documents.get(document, refresh=refresh)
        return await self._represent(
            answered, _JSON, coding, lambda copy: rewrite_project_json(copy.body, rewrite)
        )

    async def provenance(
        self, project: ProjectName, version: str, filename: str, coding: Coding, *, refresh: bool = False
    ) -> PageAnswer:
        """Give the provenance object of a file (PEP 740), unchanged."""
        path = f"integrity/{project}/{version}/{filename}/provenance"
        document = self._document(path, Kind.PROVENANCE, _PROVENANCE_JSON, _check_provenance)
        answered = await self._documents.get(document, refresh=refresh)
        return await self._represent(answered, _PROVENANCE_JSON, coding, lambda copy: copy.body)

    def _page_document(self, project: ProjectName) -> Document:
        def check(body: bytes, content_type: str, url: str) -> None:
            self._index.learn(read_project_page(body, content_type, url, project))

        return Document(
            self._index.key(f"simple/{project}.page"),
            Kind.PAGE,
            self._index.page_url(project),
            UPSTREAM_ACCEPT,
            self._index.options.pages,
            check,
        )

    def _document(
        self, path: str, kind: Kind, accept: str, check: Callable[[bytes, str, str], None]
    ) -> Document:
        return Document(
            self._index.key(f"{path}.page"),
            kind,
            self._index.site_url(path),
            accept,
            self._index.options.pages,
            check,
        )

    def _read(self, copy: StoredCopy, project: ProjectName) -> ProjectPage:
        page = read_project_page(copy.body, copy.entry.content_type, copy.entry.location, project)
        # A stored page outlives a catalogue that was lost, and a change of the upstream.
        self._index.learn(page, is_foreign=copy.is_foreign)
        return page

    def _render_json(self, page: ProjectPage) -> bytes:
        return write_project_json(
            page, self._index.page_links(), provenance=self._index.provenance_rewriter()
        )

    def _render_html(self, page: ProjectPage) -> bytes:
        return write_project_html(
            page, self._index.page_links(), provenance=self._index.provenance_rewriter()
        )

    async def _represent(
        self, answered: Answered, content_type: str, coding: Coding, render: Callable[[StoredCopy], bytes]
    ) -> PageAnswer:
        copy = answered.copy
        plain = await self._once(
            copy,
            (content_type, Coding.IDENTITY),
            lambda: represent(render(copy), content_type, Coding.IDENTITY),
            lambda made: len(made.body),
        )
        if coding is Coding.IDENTITY:
            return PageAnswer(plain, answered)
        coded = await self._once(
            copy,
            (content_type, coding),
            lambda: represent(plain.body, content_type, coding),
            lambda made: len(made.body),
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


def _check_provenance(body: bytes, _content_type: str, url: str) -> None:
    try:
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise UnreadablePage(f"{url}: not a provenance object: {error}") from error
