"""The worker's side: what its ready answers do not answer, it asks the keeper.

Rules of this module:
1. Requests that change nothing are asked again when the keeper is lost before it answers; others are
   not, and get a connection of their own, so that none is lost to one that was dead before.
2. A body that breaks off because the keeper is lost goes on where it was, if it can be told that it is
   the same: by a strong entity tag, in `RemoteFile`.
3. A connection is used again only after all that was said on it has been read.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cheesebox.cache.downloads import FileHead
from cheesebox.cache.static_files import FoundFile, Mark, StaticFile
from cheesebox.errors import CheeseboxError, LinkLost
from cheesebox.ports import Key
from cheesebox.web.crossing import Answer, Asked, Handed, Streamed, Whole, pack, unpack_keeper
from cheesebox.web.granted import GrantedLease
from cheesebox.web.hot import Template
from cheesebox.web.http import FileSlice, Response, read_body
from cheesebox.web.own import HEALTH, text_answer
from cheesebox.web.remote import RemoteFile
from cheesebox.web.router import failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cheesebox.cache.blocking import Blocking
    from cheesebox.ports import Blob, Clock
    from cheesebox.web.crossing import Offer, Report
    from cheesebox.web.granted import GrantedAccess
    from cheesebox.web.http import Receive, Request

log = logging.getLogger(__name__)

_IDLE = 64
_LARGEST_BODY = 1024 * 1024
_PATIENCE = 10.0
"""Seconds for which a keeper is waited for."""


class Line(Protocol):
    """A connection to the keeper; `LinkLost` is raised when that is gone."""

    async def send(self, frame: bytes, file: int | None = None) -> None:
        """Send a frame."""
        ...

    async def receive(self) -> bytes:
        """Give the next frame."""
        ...

    def take_file(self) -> int:
        """Give the open file that came with the frame."""
        ...

    @property
    def is_quiet(self) -> bool:
        """Whether the keeper is there and has said nothing."""
        ...

    def close(self) -> None:
        """Leave."""
        ...


@dataclass(frozen=True, slots=True)
class Ways:
    """How the keeper is reached, and what a worker has of its own."""

    ring: Callable[[], Awaitable[Line]]
    open_blob: Callable[[int], Blob]
    """Takes an open file over."""
    counts: memoryview
    clock: Clock
    blocking: Blocking
    access: GrantedAccess | None = None
    patience: float = _PATIENCE


class Lines:
    """The connections to the keeper."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._idle: list[Line] = []

    async def take(self, *, fresh: bool = False) -> Line:
        """Give one that nobody uses; raises `LinkLost` when there is no keeper for too long."""
        while self._idle and not fresh:
            line = self._idle.pop()
            if line.is_quiet:
                return line
            line.close()
        line = await self._ways.ring()
        try:
            async with asyncio.timeout(self._ways.patience):
                await line.receive()  # it says that somebody is there
        except TimeoutError as error:
            line.close()
            raise LinkLost("the cache is being restarted") from error
        except BaseException:
            line.close()
            raise
        return line

    def give_back(self, line: Line) -> None:
        """Take back a connection on which nothing is to come."""
        if len(self._idle) < _IDLE:
            self._idle.append(line)
        else:
            line.close()

    def close(self) -> None:
        """Close those that nobody uses."""
        for line in self._idle:
            line.close()
        self._idle.clear()


class Forwarding:
    """Answers requests by asking the keeper."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self.lines = Lines(ways)

    async def __call__(self, request: Request, receive: Receive) -> Response:
        """Answer a request, whatever happens."""
        try:
            if request.path == HEALTH and request.is_read:
                return text_answer(200, "ok\n")  # of this process: the keeper is the readiness's matter
            body = b"" if request.is_read else await read_body(receive, _LARGEST_BODY)
            return await self._forward(request, body)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            return failure(request, error)

    async def _forward(self, request: Request, body: bytes) -> Response:
        state = self._ways.access.state if self._ways.access else 0
        answer, line = await self.ask(Asked(request, body))
        given = request.header("authorization")
        if self._ways.access and answer.admits and given is not None:
            self._ways.access.remember(given.encode("latin-1"), state)
        return self._response(request, answer, line)

    async def ask(self, asked: Asked) -> tuple[Answer, Line]:
        """Ask the keeper; whoever gets the line gives it back or closes it (rules 1 and 3)."""
        deadline = asyncio.get_running_loop().time() + self._ways.patience
        while True:
            line, is_sent = None, False
            try:
                line = await self.lines.take(fresh=not asked.request.is_read)
                is_sent = True
                await line.send(pack(asked))
                answer = unpack_keeper(await line.receive())
            except BaseException as error:
                if line is not None:
                    line.close()
                may_repeat = isinstance(error, LinkLost) and (asked.request.is_read or not is_sent)
                if not may_repeat or asyncio.get_running_loop().time() > deadline:
                    raise
                continue
            if not isinstance(answer, Answer):
                line.close()
                raise CheeseboxError("the keeper answered what was not asked")
            return answer, line

    def _response(self, request: Request, answer: Answer, line: Line) -> Response:
        response = Response(answer.status, answer.headers, b"", answer.cache, answer.kind, index=answer.index)
        match answer.body:
            case Whole(body):
                response.body = body
                self.lines.give_back(line)
                if answer.offer is not None:
                    own = answer.offer.body
                    self._make_ready(response, answer.offer, body if own is None else own)
            case Handed(start, stop):
                file = self.open(line)
                response.body, response.closing = FileSlice(file, start, stop), file.close
                if answer.offer is not None and request.takes_views and file.blob is not None:
                    view = file.blob.view_cached(start, stop - start)
                    if view is not None:
                        self._make_ready(response, answer.offer, view)
            case Streamed(start, stop):
                remote = RemoteFile(self, request, answer, line)
                response.body, response.closing = FileSlice(remote, start, stop), remote.close
        return response

    def open(self, line: Line) -> StaticFile:
        """Open the file that came along on a line, which is given back. Raises `LinkLost`."""
        try:
            blob = self._ways.open_blob(line.take_file())
        except BaseException:
            line.close()
            raise
        self.lines.give_back(line)
        found = FoundFile(b"", blob, Mark(blob.size, 0, 0))
        return StaticFile(found, FileHead(blob.size, ""), self._ways.blocking)

    def _make_ready(self, response: Response, offer: Offer, body: bytes | memoryview) -> None:
        lease = GrantedLease(offer, self._ways.counts, self._ways.clock)
        response.ready = Template(Key(offer.key), offer.kind, offer.etag, body, lease, offer.head)

    async def report(self, report: Report) -> None:
        """Tell the keeper what was answered; raises `LinkLost`."""
        line = await self.lines.take(fresh=True)
        try:
            await line.send(pack(report))
            await line.receive()
        finally:
            line.close()
