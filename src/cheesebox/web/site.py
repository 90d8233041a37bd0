"""The whole site: what every answer has in common (log, counts, errors, ready answers)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from cheesebox.cache.freshness import Verdict
from cheesebox.errors import CheeseboxError
from cheesebox.ports import Tally
from cheesebox.web.access_log import Facts
from cheesebox.web.http import (
    ClientGone,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    Sent,
    request_from,
    send_response,
)
from cheesebox.web.router import failure

if TYPE_CHECKING:
    from cheesebox.cache.ledger import Ledger
    from cheesebox.cache.recent import Recent
    from cheesebox.web.access_log import AccessLog
    from cheesebox.web.hot import HotTable, Negotiated
    from cheesebox.web.router import Answerer

log = logging.getLogger(__name__)


class Site:
    """ASGI application for ``http`` scopes, around what answers the requests."""

    def __init__(
        self,
        answer: Answerer,
        ledger: Ledger,
        access_log: AccessLog | None,
        hot: HotTable,
        recent: Recent,
    ) -> None:
        self._answer = answer
        self._ledger = ledger
        self._access_log = access_log
        self._hot = hot
        self._recent = recent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; an error after the head was sent cuts the connection."""
        started = time.perf_counter()
        request = request_from(scope)
        sent = Sent(send)
        clearings = self._hot.clearings
        response = await self._answer(request, receive)
        try:
            try:
                await send_response(response, request.method, receive, sent, takes_views=request.takes_views)
            except ClientGone:
                return
            except Exception as error:
                if sent.has_begun:
                    raise _cut(request, error) from error
                response = failure(request, error)
                await send_response(response, request.method, receive, sent)
        finally:
            self._ledger.count(Tally(response.index, response.kind, response.cache), sent.body_bytes)
            self._ledger.count_code(response.status)
            self._log(request, response, sent.body_bytes, started)
            if response.cache == Verdict.STALE.value:
                self._recent.stale(time.time(), request.path)
        negotiated = _negotiated(scope)
        is_current = clearings == self._hot.clearings
        if response.ready is not None and request.target and negotiated is not None and is_current:
            self._hot.offer(request.target, negotiated, response.ready, response.index)

    def _log(self, request: Request, response: Response, sent: int, started: float) -> None:
        if self._access_log is None:
            return
        taken = (time.perf_counter() - started) * 1000
        facts = Facts(
            response.status, response.cache, taken, sent, request.method, request.path, request.client
        )
        self._access_log.write((time.time(), facts))


class ConnectionCut(Exception):
    """Ends an answer whose body must not be finished; servers close the connection on it."""


def _cut(request: Request, error: Exception) -> ConnectionCut:
    """Log why, once; only what nobody expected gets a traceback."""
    is_expected = isinstance(error, CheeseboxError)
    level = logging.WARNING if is_expected else logging.ERROR
    exc_info = None if is_expected else error
    log.log(level, "cut the answer to %s %s: %s", request.method, request.path, error, exc_info=exc_info)
    return ConnectionCut(str(error))


def _negotiated(scope: Scope) -> Negotiated | None:
    """Give Accept and Accept-Encoding as they were sent; None if one was sent more than once."""
    names = [name for name, _ in scope["headers"]]
    if names.count(b"accept") > 1 or names.count(b"accept-encoding") > 1:
        return None
    fields = dict(scope["headers"])
    return fields.get(b"accept", b""), fields.get(b"accept-encoding", b"")
