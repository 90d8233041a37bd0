"""Who answers a request: the mounts, the own endpoints; and who gets in at all."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from cheesebox.commons.peers import PATH
from cheesebox.errors import CheeseboxError
from cheesebox.web import problems
from cheesebox.web.door import keep_private

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cheesebox.web.door import Door
    from cheesebox.web.http import Receive, Request, Response
    from cheesebox.web.index_app import IndexApp
    from cheesebox.web.own import OwnEndpoints
    from cheesebox.web.peering import Peering
    from cheesebox.web.static_site import StaticSite

    Answerer = Callable[[Request, Receive], Awaitable[Response]]

log = logging.getLogger(__name__)

_SLASHES = re.compile(r"//+")
_WITH_RELATIVE_LINKS = ("simple/", "pypi/", "@")
"""Below these lie documents whose links are relative to their one right URL."""


class Router:
    """Answers requests. ``mounts`` maps prefixes without a slash at their end.

    The longest prefix wins; ``statics`` maps those of directories that are served as they are.
    """

    def __init__(
        self,
        mounts: Mapping[str, IndexApp],
        own: OwnEndpoints,
        statics: Mapping[str, StaticSite] | None = None,
        door: Door | None = None,
        peering: Peering | None = None,
    ) -> None:
        """``door`` says who gets in; None: everybody does. ``peering`` answers other nodes."""
        self._peering = peering
        self._door = door
        self._mounts = sorted(mounts.items(), key=lambda item: -len(item[0]))
        self._statics = sorted((statics or {}).items(), key=lambda item: -len(item[0]))
        self._own = own

    async def __call__(self, request: Request, receive: Receive) -> Response:
        """Answer a request, whatever happens."""
        try:
            if self._peering is not None and request.path.startswith(PATH):
                return await self._peering.answer(request)
            if self._door is None:
                return await self._route(request, receive)
            await self._door.admit(request)
            return keep_private(await self._route(request, receive))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            return failure(request, error)

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


def failure(request: Request, error: Exception) -> Response:
    """Answer an error before the head; what nobody expected is told to the log only."""
    if isinstance(error, CheeseboxError):
        return problems.problem(error)
    log.error("failed to answer %s %s", request.method, request.path, exc_info=error)
    return problems.problem(CheeseboxError())
