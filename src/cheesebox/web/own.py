"""Endpoints of cheesebox itself, below ``/-/``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.errors import CheeseboxError
from cheesebox.web import problems
from cheesebox.web.api import PREFIX
from cheesebox.web.http import Request, Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cheesebox.web.api import Api
    from cheesebox.web.dashboard.handler import Dashboard
    from cheesebox.web.http import Receive
    from cheesebox.web.metrics import Metrics

HEALTH, READY = "/-/health", "/-/ready"


class OwnEndpoints:
    """Health, readiness, and what people who run the cache look at."""

    def __init__(
        self,
        reason: Callable[[], Awaitable[str | None]],
        api: Api | None = None,
        metrics: Metrics | None = None,
        dashboard: Dashboard | None = None,
        remarks: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """``reason`` tells why requests can't be answered as they should be; None: they can.

        ``remarks`` tells what is not as it should be although they can.
        """
        self._remarks = remarks
        self._reason = reason
        self._api = api
        self._metrics = metrics
        self._dashboard = dashboard

    async def answer(self, request: Request, receive: Receive) -> Response:
        """Answer a request below ``/-/``."""
        try:
            return await self._answer(request, receive)
        except CheeseboxError as error:
            return problems.problem(error)

    async def _answer(self, request: Request, receive: Receive) -> Response:
        if self._api is not None and request.path.startswith(PREFIX):
            return await self._api.answer(request, request.path.removeprefix(PREFIX), receive)
        if not request.is_read:
            return problems.method_not_allowed("GET, HEAD")
        if request.path == HEALTH:
            return text_answer(200, "ok\n")
        if request.path == READY:
            return await self._readiness()
        if request.path == "/-/metrics" and self._metrics is not None:
            return await self._metrics.answer(request)
        shown = None
        if self._dashboard is not None:
            shown = await self._dashboard.answer(request, request.path.removeprefix("/-/"))
        return problems.not_found() if shown is None else shown

    async def _readiness(self) -> Response:
        if (reason := await self._reason()) is not None:
            return text_answer(503, f"not ready: {reason}\n")
        return text_answer(200, "\n".join(["ready", *self._remarks()]) + "\n")


def text_answer(status: int, text: str) -> Response:
    """Answer with a line of text that is not to be kept."""
    body = text.encode()
    headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
    ]
    return Response(status, headers, body, kind="own")
