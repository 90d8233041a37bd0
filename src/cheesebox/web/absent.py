"""What is answered while there is no site: before the application has started and after it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.errors import NotStarted
from cheesebox.web import problems
from cheesebox.web.http import request_from, send_response
from cheesebox.web.own import OwnEndpoints

if TYPE_CHECKING:
    from cheesebox.web.http import Receive, Scope, Send


class Absent:
    """ASGI application for ``http`` scopes: health is well, all else is 503 with the reason."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._own = OwnEndpoints(self._why)

    async def _why(self) -> str:
        return self._reason

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = request_from(scope)
        if request.path.startswith("/-/"):
            response = await self._own.answer(request, receive)
        else:
            response = problems.problem(NotStarted(self._reason))
        await send_response(response, request.method, receive, send)
