"""Answers other nodes: gives them what this one is fetching for all, as far as it has come."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cheesebox.commons.peers import PATH
from cheesebox.errors import EngineError, Forbidden
from cheesebox.ports import Key
from cheesebox.web import problems, ranges
from cheesebox.web.open_files import respond

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cheesebox.cache.files import OpenFile
    from cheesebox.web.http import Request, Response


class Peering:
    """``secret`` gives what nodes know each other by; ``open_here`` opens what is stored or growing here."""

    def __init__(
        self, secret: Callable[[], Awaitable[str]], open_here: Callable[[Key], Awaitable[OpenFile | None]]
    ) -> None:
        self._secret = secret
        self._open_here = open_here

    async def answer(self, request: Request) -> Response:
        """Answer a request below `PATH`; raises `Forbidden`, or why a download failed."""
        if not request.is_read:
            return problems.method_not_allowed("GET, HEAD")
        await self._admit(request)
        file = await self._open_here(Key(unquote(request.path.removeprefix(PATH))))
        if file is None:
            return problems.not_found()
        try:
            return respond(file, ranges.parse(request.header("range")), request, "own", [])
        except BaseException:
            file.close()
            raise

    async def _admit(self, request: Request) -> None:
        try:
            expected = f"Bearer {await self._secret()}"
        except EngineError as error:
            raise Forbidden("this node cannot tell its like while the register is away") from error
        if not hmac.compare_digest((request.header("authorization") or "").encode(), expected.encode()):
            raise Forbidden("this is for the other nodes")
