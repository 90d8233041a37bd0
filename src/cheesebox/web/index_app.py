"""Answers requests below the mount of one index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.cache.files import StoredFile, Want
from cheesebox.cache.freshness import Verdict
from cheesebox.cache.guard import ClearedLease
from cheesebox.cache.lists import ListAnswer
from cheesebox.errors import CheeseboxError, InvalidName, InvalidPath, NotFound
from cheesebox.simple.negotiation import negotiate_coding, negotiate_format
from cheesebox.web import conditional, heads, problems, ranges
from cheesebox.web.hot import Template
from cheesebox.web.http import FileSlice, Request, Response
from cheesebox.web.open_files import respond
from cheesebox.web.routes import (
    DatedRoute,
    FileRoute,
    LegacyRoute,
    ListRoute,
    PageRoute,
    ProvenanceRoute,
    RedirectRoute,
    route,
)

if TYPE_CHECKING:
    from cheesebox.cache.copies import Answered
    from cheesebox.cache.folders import FolderLists
    from cheesebox.cache.guard import Clearance, Guard
    from cheesebox.cache.merged_lists import MergedLists
    from cheesebox.cache.offline_lists import SwitchedLists
    from cheesebox.cache.pages import PageAnswer, Pages
    from cheesebox.cache.representations import Representation
    from cheesebox.cache.source_pages import SourcePages
    from cheesebox.cache.sources import Source
    from cheesebox.cache.views import Views
    from cheesebox.cache.wheel_metadata import WheelMetadata
    from cheesebox.simple.policies import View
    from cheesebox.web.routes import IndexRoute, Route

_VARY_PAGE = "Accept, Accept-Encoding"
_VARY_JSON = "Accept-Encoding"
_OK = 200
_LARGEST_MAPPED = 8 * 1024 * 1024


class IndexApp:
    """The routes of one index."""

    def __init__(
        self,
        name: str,
        views: Views,
        pages: Pages | SourcePages,
        lists: SwitchedLists | FolderLists | MergedLists,
        guard: Guard | Source,
        files: WheelMetadata | Source,
        status_header: str,
        hot_file_max: int,
    ) -> None:
        self.name = name
        self._views = views
        self._pages = pages
        self._guard = guard
        self._lists = lists
        self._files = files
        self._status_header = status_header
        self._hot_file_max = hot_file_max

    async def answer(self, request: Request, path: str) -> Response:
        """Answer a request for ``path`` below the mount."""
        if not request.is_read and request.method != "OPTIONS":
            return problems.method_not_allowed()
        try:
            found = route(path)
        except (InvalidPath, InvalidName):
            return problems.not_found()
        if request.method == "OPTIONS":
            return problems.options(request)
        view = self._views.plain
        try:
            if isinstance(found, DatedRoute):
                view, found = self._views.at(found.moment), found.inner
            return await self._dispatch(found, view, request)
        except CheeseboxError as error:
            return self._failed(error, found)

    def _failed(self, error: CheeseboxError, found: Route) -> Response:
        if isinstance(error, NotFound) and isinstance(found, LegacyRoute):
            response = problems.legacy_not_found()
        else:
            response = problems.problem(error)
        verdict = Verdict.HIT if isinstance(error, NotFound) and error.remembered else Verdict.MISS
        response.cache = verdict.value
        response.headers += [
            (self._status_header, verdict.value),
            ("cache-status", heads.failed_cache_status(verdict, error)),
        ]
        return response

    async def _dispatch(self, found: IndexRoute, view: View, request: Request) -> Response:
        match found:
            case PageRoute():
                return await self._page(found, view, request)
            case FileRoute():
                return await self._file(found, view, request)
            case ListRoute():
                return await self._list(request)
            case LegacyRoute():
                return await self._legacy(found, view, request)
            case ProvenanceRoute():
                return await self._provenance(found, view, request)
            case RedirectRoute(location):
                return problems.redirect(location, request.query)

    # ── pages ───────────────────────────────────────────────────────────────────────────────────

    async def _page(self, found: PageRoute, view: View, request: Request) -> Response:
        answer = await self._pages.project(
            found.project,
            negotiate_format(request.header("accept"), request.parameter("format")),
            negotiate_coding(request.header("accept-encoding")),
            view,
            refresh=request.wants_refresh,
        )
        return self._document(answer, request, _VARY_PAGE, "page")

    async def _legacy(self, found: LegacyRoute, view: View, request: Request) -> Response:
        await self._guard.clear_project(found.project)
        coding = negotiate_coding(request.header("accept-encoding"))
        answer = await self._pages.legacy_json(
            found.project, found.version, coding, view, refresh=request.wants_refresh
        )
        return self._document(answer, request, _VARY_JSON, "json")

    async def _provenance(self, found: ProvenanceRoute, view: View, request: Request) -> Response:
        await self._guard.clear_named(found.project, found.filename, view)
        coding = negotiate_coding(request.header("accept-encoding"))
        answer = await self._pages.provenance(
            found.project, found.version, found.filename, coding, refresh=request.wants_refresh
        )
        return self._document(answer, request, _VARY_JSON, "provenance")

    def _document(self, answer: PageAnswer, request: Request, vary: str, kind: str) -> Response:
        return self._represented(answer.representation, answer.answered, request, vary, kind)

    def _represented(
        self, made: Representation, answered: Answered, request: Request, vary: str, kind: str
    ) -> Response:
        headers = self._page_headers(made.etag, answered, vary)
        cache = answered.verdict.value
        ready = self._ready_page(made, answered, vary, kind)
        if conditional.not_modified(request.headers, made.etag):
            return Response(304, headers, cache=cache, kind=kind, ready=ready)
        headers += heads.body_head(made.content_type, made.coding, len(made.body))
        return Response(200, headers, made.body, cache, kind, ready=ready)

    def _ready_page(self, made: Representation, answered: Answered, vary: str, kind: str) -> Template:
        """Tell how the same request is answered as a HIT while the copy is fresh."""
        standing = answered.copy.standing  # not the copy: what is ready shall not keep its body in memory
        head = heads.ReadyPageHead(
            made.etag,
            standing.entry.serial,
            vary,
            made.content_type,
            made.coding,
            len(made.body),
            self._status_header,
        )
        return Template(standing.entry.key, kind, made.etag, made.body, answered.lease, head)

    def _page_headers(self, etag: str, answered: Answered, vary: str) -> heads.Headers:
        serial = answered.copy.entry.serial
        headers = heads.page_head(etag, answered.max_age, serial, vary)
        return headers + self._status(answered.verdict, answered.max_age, collapsed=answered.collapsed)

    def _status(
        self, verdict: Verdict, max_age: int | None = None, *, collapsed: bool = False
    ) -> heads.Headers:
        return [
            (self._status_header, verdict.value),
            ("cache-status", heads.cache_status(verdict, max_age, collapsed=collapsed)),
        ]

    async def _list(self, request: Request) -> Response:
        form = negotiate_format(request.header("accept"), request.parameter("format"))
        coding = negotiate_coding(request.header("accept-encoding"))
        answer = await self._lists.get(form, coding, refresh=request.wants_refresh)
        if not isinstance(answer, ListAnswer):
            return self._represented(*answer, request, _VARY_PAGE, "list")
        headers = self._page_headers(answer.file.head.etag, answer.answered, _VARY_PAGE)
        cache = answer.answered.verdict.value
        if conditional.not_modified(request.headers, answer.file.head.etag):
            answer.file.close()
            return Response(304, headers, cache=cache, kind="list")
        size = answer.file.head.size or 0
        headers += heads.body_head(answer.content_type, answer.coding, size)
        body = FileSlice(answer.file, 0, size)
        return Response(200, headers, body, cache, "list", answer.file.close)

    # ── files ───────────────────────────────────────────────────────────────────────────────────

    async def _file(self, found: FileRoute, view: View, request: Request) -> Response:
        clearance = await self._guard.clear(found.path, view)
        asked = ranges.parse(request.header("range")) if request.method == "GET" else None
        file = await self._files.open(found.path, _want(request, asked))
        try:
            status = self._status(file.verdict, collapsed=file.collapsed)
            response = respond(file, asked, request, _kind(found), status)
            if isinstance(file, StoredFile) and response.status == _OK and request.method == "GET":
                await self._make_ready(file, clearance, request, response)
        except BaseException:
            file.close()
            raise
        return response

    async def _make_ready(
        self, file: StoredFile, clearance: Clearance | None, request: Request, response: Response
    ) -> None:
        """Tell how the next request for a whole file is answered without opening it.

        A small file is held in memory; a larger one is mapped, for servers that can send it so.
        """
        body: bytes | memoryview | None = None
        if file.entry.size <= self._hot_file_max:
            response.body = body = await file.read_all()
        elif file.entry.size <= _LARGEST_MAPPED and request.takes_views:
            body = file.map_all()
        if body is None:
            return
        head = heads.ReadyFileHead(file.head, len(body), self._status_header)
        lease = file.lease() if clearance is None else ClearedLease(file.lease(), clearance)
        response.ready = Template(file.entry.key, response.kind, file.head.etag, body, lease, head)


def _want(request: Request, asked: ranges.Asked | None) -> Want:
    if request.method == "HEAD":
        return Want.HEAD
    if asked is None or asked.is_open_ended:
        return Want.REST
    return Want.SLICE


def _kind(found: FileRoute) -> str:
    return "metadata" if found.path.endswith(".metadata") else "file"
