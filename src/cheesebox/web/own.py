"""Endpoints of cheesebox itself, below ``/-/``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.errors import CheeseboxError
from cheesebox.web import problems
from cheesebox.web.http import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.web.api import Api
    from cheesebox.web.dashboard.handler import Dashboard
    from cheesebox.web.http import Receive

_API = "/-/api/v1/"


class OwnEndpoints:
    """Health, readiness, and what people who run the cache look at."""

    def __init__(
        self, is_ready: Callable[[], bool], api: Api | None = None, dashboard: Dashboard | None = None
    ) -> None:
        self._is_ready = is_ready
        self._api = api
        self._dashboard = dashboard

    async def answer(self, request: Request, receive: Receive) -> Response:
        """Answer a request below ``/-/``."""
        try:
            return await self._answer(request, receive)
        except CheeseboxError as error:
            return problems.problem(error)

    async def _answer(self, request: Request, receive: Receive) -> Response:
        if self._api is not None and request.path.startswith(_API):
            return await self._api.answer(request, request.path.removeprefix(_API), receive)
        if not request.is_read:
            return problems.method_not_allowed("GET, HEAD")
        match request.path:
            case "/-/health":
                return _text(200, "ok\n")
            case "/-/ready":
                return _text(200, "ready\n") if self._is_ready() else _text(503, "not ready\n")
        shown = None
        if self._dashboard is not None:
            shown = await self._dashboard.answer(request, request.path.removeprefix("/-/"))
        return problems.not_found() if shown is None else shown


def _text(status: int, text: str) -> Response:
    body = text.encode()
    headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
    ]
    return Response(status, headers, body)
