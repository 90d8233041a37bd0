"""Endpoints of cheesebox itself, below ``/-/``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.web import problems
from cheesebox.web.http import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable


class OwnEndpoints:
    """Health and readiness."""

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready

    def answer(self, request: Request) -> Response:
        """Answer a request below ``/-/``."""
        if not request.is_read:
            return problems.method_not_allowed("GET, HEAD")
        match request.path:
            case "/-/health":
                return _text(200, "ok\n")
            case "/-/ready":
                return _text(200, "ready\n") if self._is_ready() else _text(503, "not ready\n")
        return problems.not_found()


def _text(status: int, text: str) -> Response:
    body = text.encode()
    headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
    ]
    return Response(status, headers, body)
