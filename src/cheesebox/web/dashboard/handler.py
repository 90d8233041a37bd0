"""Answers what is asked of the dashboard: looks, and has it written down as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cheesebox.errors import CheeseboxError, InvalidRequest, NotFound
from cheesebox.ports import Order
from cheesebox.web import problems
from cheesebox.web.dashboard import assets
from cheesebox.web.dashboard.memo import Memo
from cheesebox.web.dashboard.pages import Pages, ProjectsAsked
from cheesebox.web.dashboard.series import DAY, WINDOWS
from cheesebox.web.http import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cheesebox.web import models
    from cheesebox.web.dashboard.series import Window
    from cheesebox.web.http import Request
    from cheesebox.web.operations import Operations

    Handler = Callable[[Request], Awaitable[str]]

_TOP_PROJECTS = 10
_PAGE = 100
_FARTHEST = 10**9
_SCANNED_EVERY = 15.0
_SUMMED_EVERY = 5.0
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Costly:
    """What scans the catalogue, shared by all who look within some seconds."""

    highlights: Memo[models.Highlights]
    top: Memo[models.Projects]
    history: Mapping[str, Memo[models.HistoryDocument]]


def _costly(operations: Operations) -> Costly:
    clock = operations.clock

    def history(window: Window) -> Memo[models.HistoryDocument]:
        return Memo(lambda: operations.history(window.hours_back(clock())), clock, _SUMMED_EVERY)

    return Costly(
        Memo(operations.highlights, clock, _SCANNED_EVERY),
        Memo(lambda: operations.projects("", Order.HITS, _TOP_PROJECTS, 0), clock, _SCANNED_EVERY),
        {name: history(window) for name, window in WINDOWS.items()},
    )


class Dashboard:
    """The pages below ``/-/``. Reads the package's templates and assets when it is built."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._costly = _costly(operations)
        loaded = assets.load()
        self._assets = {asset.name: asset for asset in loaded.values()}
        self._pages = Pages({suffix: asset.name for suffix, asset in loaded.items()})
        self._handlers: Mapping[str, Handler] = {
            "": self._home,
            "projects": self._projects,
            "settings": self._settings,
            "fragments/activity": self._activity,
            "fragments/totals": self._totals,
            "fragments/health": self._health,
            "fragments/history": self._history,
            "fragments/highlights": self._highlights,
        }

    async def answer(self, request: Request, path: str) -> Response | None:
        """Answer a read of ``path`` below ``/-/``; None when it is none of these pages."""
        if path.startswith("assets/"):
            return self._asset(path.removeprefix("assets/"))
        handler = self._handlers.get(path)
        if path.startswith("projects/"):
            handler = self._project
        if handler is None:
            return None
        try:
            return _html(200, await handler(request))
        except CheeseboxError as error:
            return _html(error.status, self._pages.error(error, path))

    def _asset(self, name: str) -> Response:
        asset = self._assets.get(name)
        if asset is None:
            return problems.not_found()
        headers = [
            ("content-type", asset.content_type),
            ("content-length", str(len(asset.body))),
            ("cache-control", "public, max-age=31536000, immutable"),
            ("x-content-type-options", "nosniff"),
        ]
        return Response(200, headers, asset.body, kind="own")

    async def _home(self, request: Request) -> str:
        window = _window(request)
        return self._pages.home(
            self._operations.overview(),
            await self._costly.history[window.name].get(),
            window,
            self._operations.activity(),
            await self._costly.highlights.get(),
            (await self._costly.top.get()).projects,
        )

    async def _activity(self, _: Request) -> str:
        return self._pages.activity(self._operations.activity(), self._operations.clock())

    async def _totals(self, _: Request) -> str:
        return self._pages.totals(self._operations.overview())

    async def _health(self, _: Request) -> str:
        return self._pages.health(self._operations.overview())

    async def _history(self, request: Request) -> str:
        window = _window(request)
        history = await self._costly.history[window.name].get()
        return self._pages.history(history, window, self._operations.clock())

    async def _highlights(self, _: Request) -> str:
        highlights = await self._costly.highlights.get()
        top = (await self._costly.top.get()).projects
        return self._pages.highlights(highlights, top, self._operations.clock())

    async def _projects(self, request: Request) -> str:
        asked = _asked(request)
        found = await self._operations.projects(asked.search.lower(), asked.order, _PAGE, asked.offset)
        return self._pages.projects(found, asked, self._operations.clock())

    async def _project(self, request: Request) -> str:
        name = unquote(request.path.removeprefix("/-/projects/"))
        project = await self._operations.project(name)
        listings = await self._operations.listings(project.project)
        if not project.objects:
            raise NotFound(f"nothing is cached of {project.project}")
        return self._pages.project(project, listings, self._operations.clock(), can_purge=self._can_purge())

    def _can_purge(self) -> bool:
        rows = self._operations.settings().settings
        return any(row.name == "admin_token" and not row.is_default for row in rows)

    async def _settings(self, _: Request) -> str:
        return self._pages.settings(self._operations.settings(), self._operations.overview())


def _window(request: Request) -> Window:
    name = request.parameter("span") or DAY.name
    if name not in WINDOWS:
        raise InvalidRequest(f"span: one of {', '.join(WINDOWS)} is allowed")
    return WINDOWS[name]


def _asked(request: Request) -> ProjectsAsked:
    search = (request.parameter("search") or "").replace("+", " ").strip()
    order = request.parameter("order") or Order.USED.value
    offset = request.parameter("offset") or "0"
    if order not in Order.__members__.values():
        raise InvalidRequest(f"order: one of {', '.join(Order)} is allowed")
    if not (offset.isascii() and offset.isdecimal() and int(offset[:20]) <= _FARTHEST):
        raise InvalidRequest(f"offset: a whole number from 0 to {_FARTHEST} is allowed")
    return ProjectsAsked(search, Order(order), int(offset), _PAGE)


def _html(status: int, text: str) -> Response:
    body = text.encode("utf-8", "replace")
    headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        ("content-security-policy", _POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
    ]
    return Response(status, headers, body, kind="own")
