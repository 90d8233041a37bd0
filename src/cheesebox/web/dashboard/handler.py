"""Answers what is asked of the dashboard: looks, and has it written down as HTML."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cheesebox.errors import CheeseboxError, NotFound
from cheesebox.ports import Order
from cheesebox.web import problems
from cheesebox.web.dashboard import assets
from cheesebox.web.dashboard.asked import projects_asked, window_asked
from cheesebox.web.dashboard.memo import Memo
from cheesebox.web.dashboard.series import WINDOWS
from cheesebox.web.http import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cheesebox.web import models
    from cheesebox.web.dashboard.pages import Pages
    from cheesebox.web.dashboard.series import Window
    from cheesebox.web.http import Request
    from cheesebox.web.operations import Operations

    Handler = Callable[[Pages, Request], Awaitable[str]]

_TOP_PROJECTS = 10
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
    """The pages below ``/-/``. Reads the package's assets when it is built."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._costly = _costly(operations)
        loaded = assets.load()
        self._assets = {asset.name: asset for asset in loaded.values()}
        names = {suffix: asset.name for suffix, asset in loaded.items()}
        self._pages = Memo(lambda: asyncio.to_thread(_compiled, names), operations.clock, math.inf)
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
        pages = await self._pages.get()
        try:
            return _html(200, await handler(pages, request))
        except CheeseboxError as error:
            return _html(error.status, pages.error(error, path))

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

    async def _home(self, pages: Pages, request: Request) -> str:
        window = window_asked(request)
        return pages.home(
            self._operations.overview(),
            await self._costly.history[window.name].get(),
            window,
            self._operations.activity(),
            await self._costly.highlights.get(),
            (await self._costly.top.get()).projects,
        )

    async def _activity(self, pages: Pages, _: Request) -> str:
        return pages.activity(self._operations.activity(), self._operations.clock())

    async def _totals(self, pages: Pages, _: Request) -> str:
        return pages.totals(self._operations.overview())

    async def _health(self, pages: Pages, _: Request) -> str:
        return pages.health(self._operations.overview())

    async def _history(self, pages: Pages, request: Request) -> str:
        window = window_asked(request)
        history = await self._costly.history[window.name].get()
        return pages.history(history, window, self._operations.clock())

    async def _highlights(self, pages: Pages, _: Request) -> str:
        highlights = await self._costly.highlights.get()
        top = (await self._costly.top.get()).projects
        return pages.highlights(highlights, top, self._operations.clock())

    async def _projects(self, pages: Pages, request: Request) -> str:
        asked = projects_asked(request)
        found = await self._operations.projects(asked.search.lower(), asked.order, asked.limit, asked.offset)
        return pages.projects(found, asked, self._operations.clock())

    async def _project(self, pages: Pages, request: Request) -> str:
        name = unquote(request.path.removeprefix("/-/projects/"))
        project = await self._operations.project(name)
        listings = await self._operations.listings(project.project)
        if not project.objects:
            raise NotFound(f"nothing is cached of {project.project}")
        return pages.project(project, listings, self._operations.clock(), can_purge=self._can_purge())

    def _can_purge(self) -> bool:
        rows = self._operations.settings().settings
        return any(row.name == "admin_token" and not row.is_default for row in rows)

    async def _settings(self, pages: Pages, _: Request) -> str:
        return pages.settings(self._operations.settings(), self._operations.overview())


def _compiled(names: Mapping[str, str]) -> Pages:
    # Those who look pay for the template engine, not every start.
    from cheesebox.web.dashboard.pages import Pages  # noqa: PLC0415

    return Pages(names)


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
