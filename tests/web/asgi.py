"""The web layer without a server: a site over stand-ins, and an ASGI server's side of a request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cheesebox.cache.downloads import FileHead
from cheesebox.cache.freshness import Verdict
from cheesebox.cache.ledger import Ledger
from cheesebox.cache.recent import Recent
from cheesebox.web.access_log import AccessLog
from cheesebox.web.hot import HotTable
from cheesebox.web.http import FileSlice, Response
from cheesebox.web.own import OwnEndpoints
from cheesebox.web.router import Router
from cheesebox.web.site import Site

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from cheesebox.web.access_log import Access
    from cheesebox.web.http import Message, Request, Scope


class ScriptedFile:
    """An open file whose stream plays a script: bytes to give, events to wait for, errors to raise."""

    verdict = Verdict.MISS
    collapsed = False
    blob = None

    def __init__(self, *script: bytes | asyncio.Event | Exception) -> None:
        self.head = FileHead(None, '"scripted"')
        self.closed = 0
        self.ended = 0
        self._script = script

    async def stream(self, start: int, stop: int | None) -> AsyncGenerator[bytes]:
        try:
            for step in self._script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    yield step[start:stop]
        finally:
            self.ended += 1

    def close(self) -> None:
        self.closed += 1


class StandInIndex:
    """An index that answers with what it is told."""

    name = "pypi"

    def __init__(self, answer: Callable[[], Awaitable[Response] | Response]) -> None:
        self._answer = answer

    async def answer(self, request: Request, path: str) -> Response:  # noqa: ARG002 - an index's signature
        made = self._answer()
        return made if isinstance(made, Response) else await made


def streamed(file: ScriptedFile) -> Response:
    """The answer for a scripted file."""
    headers = [("content-type", "application/octet-stream")]
    return Response(200, headers, FileSlice(file, 0, None), "MISS", "file", file.close)


@dataclass
class Exchange:
    """One request as the server sees it: what was sent, and a way to leave."""

    messages: list[Message] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    got_body: asyncio.Event = field(default_factory=asyncio.Event)
    raises: type[OSError] | None = None

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.raises is not None:
            raise self.raises
        self.messages.append(message)
        if message.get("body"):
            self.got_body.set()

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def is_complete(self) -> bool:
        return self.messages[-1]["type"] == "http.response.body" and not self.messages[-1].get("more_body")


class Bench:
    """A site with one index, its counts and its access log."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.counter = Ledger()
        self.accesses: list[Access] = []
        self.access_log = AccessLog(self.accesses.extend)
        self.hot = HotTable(1000, 1000)
        own = OwnEndpoints(self._reason)
        index: Any = StandInIndex(answer)
        self.site = Site(Router({"/pypi": index}, own), self.counter, self.access_log, self.hot, Recent())

    async def _reason(self) -> str:
        return "starting"

    async def exchange(self, exchange: Exchange, method: str = "GET", path: str = "/pypi/x") -> Exchange:
        """Run one request to its end."""
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
            "client": ("192.0.2.1", 5),
        }
        try:
            await self.site(scope, exchange.receive, exchange.send)
        finally:
            self.access_log.flush()
        return exchange
