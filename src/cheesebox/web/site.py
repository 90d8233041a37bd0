"""The whole site: mounts, own endpoints, and what every answer has in common (log, counts, errors)."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING

from cheesebox.cache.freshness import Verdict
from cheesebox.errors import CheeseboxError
from cheesebox.ports import Tally
from cheesebox.web import problems
from cheesebox.web.access_log import Facts
from cheesebox.web.door import keep_private
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cheesebox.cache.ledger import Ledger
    from cheesebox.cache.recent import Recent
    from cheesebox.web.access_log import AccessLog
    from cheesebox.web.door import Door
    from cheesebox.web.hot import HotTable, Negotiated
    from cheesebox.web.index_app import IndexApp
    from cheesebox.web.own import OwnEndpoints
    from cheesebox.web.static_site import StaticSite

log = logging.getLogger(__name__)

_SLASHES = re.compile(r"//+")
_WITH_RELATIVE_LINKS = ("simple/", "pypi/", "@")
"""Below these lie documents whose links are relative to their one right URL."""


class Site:
    """ASGI application for ``http`` scopes. ``mounts`` maps prefixes without a slash at their end.

    The longest prefix wins; ``statics`` maps those of directories that are served as they are.
    """

    def __init__(
        self,
        mounts: Mapping[str, IndexApp],
        own: OwnEndpoints,
        ledger: Ledger,
        access_log: AccessLog | None,
        hot: HotTable,
        recent: Recent,
        statics: Mapping[str, StaticSite] | None = None,
        door: Door | None = None,
    ) -> None:
        """``door`` says who gets in; None: everybody does."""
        self._door = door
        self._mounts = sorted(mounts.items(), key=lambda item: -len(item[0]))
        self._statics = sorted((statics or {}).items(), key=lambda item: -len(item[0]))
        self._own = own
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
        response = await self._respond(request, receive)
        try:
            try:
                await send_response(response, request.method, receive, sent, takes_views=request.takes_views)
            except ClientGone:
                return
            except Exception as error:
                if sent.has_begun:
                    raise _cut(request, error) from error
                response = _failure(request, error)
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

    async def _respond(self, request: Request, receive: Receive) -> Response:
        try:
            if self._door is None:
                return await self._route(request, receive)
            await self._door.admit(request)
            return keep_private(await self._route(request, receive))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            return _failure(request, error)

    async def _route(self, request: Request, receive: Receive) -> Response:
        path = _SLASHES.sub("/", request.path)
        if path.startswith("/-/"):
            return await self._own.answer(request, receive)
        for mount, index in self._mounts:
            if path.startswith(f"{mount}/"):
                below = path[len(mount) + 1 :]
                if path != request.path and below.startswith(_WITH_RELATIVE_LINKS) and request.is_read:
                    return problems.redirect(request.prefix + path, request.query)
                response = await index.answer(request, below)
                response.index = index.name
                return response
        for mount, site in self._statics:
            if path.startswith(f"{mount}/"):
                return await site.answer(request, path[len(mount) + 1 :])
        return problems.options(request) if request.method == "OPTIONS" else problems.not_found()


class ConnectionCut(Exception):
    """Ends an answer whose body must not be finished; servers close the connection on it."""


def _cut(request: Request, error: Exception) -> ConnectionCut:
    """Log why, once; only what nobody expected gets a traceback."""
    is_expected = isinstance(error, CheeseboxError)
    level = logging.WARNING if is_expected else logging.ERROR
    exc_info = None if is_expected else error
    log.log(level, "cut the answer to %s %s: %s", request.method, request.path, error, exc_info=exc_info)
    return ConnectionCut(str(error))


def _failure(request: Request, error: Exception) -> Response:
    """Answer an error before the head; what nobody expected is told to the log only."""
    if isinstance(error, CheeseboxError):
        return problems.problem(error)
    log.error("failed to answer %s %s", request.method, request.path, exc_info=error)
    return problems.problem(CheeseboxError())


def _negotiated(scope: Scope) -> Negotiated | None:
    """Give Accept and Accept-Encoding as they were sent; None if one was sent more than once."""
    names = [name for name, _ in scope["headers"]]
    if names.count(b"accept") > 1 or names.count(b"accept-encoding") > 1:
        return None
    fields = dict(scope["headers"])
    return fields.get(b"accept", b""), fields.get(b"accept-encoding", b"")
