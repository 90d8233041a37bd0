"""The keeper's side: answers what workers ask, and tells them what they may answer by themselves.

Rules of this module:
1. Whether an answer holds and what the board reads is found in one go, without an await: a change that
   comes later is seen by the worker, one that came before has made the answer another one.
2. Nothing is counted or logged here that the worker counts and logs: it is the one who answers.
3. What the worker can send better goes along as an open file; the rest is streamed to it.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Protocol

from cheesebox.cache.freshness import Verdict
from cheesebox.errors import CheeseboxError, LinkLost
from cheesebox.ports import Key, Tally
from cheesebox.web.crossing import (
    Answer,
    Asked,
    Chunk,
    Cut,
    End,
    Handed,
    Offer,
    Report,
    Streamed,
    Whole,
    pack,
    unpack_worker,
)
from cheesebox.web.http import ClientGone, FileSlice, Message, Response, Sent, send_response
from cheesebox.web.router import failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cheesebox.cache.ledger import Ledger
    from cheesebox.cache.recent import Recent
    from cheesebox.ports import Clock
    from cheesebox.web.door import Door
    from cheesebox.web.hot import HotTable, Template
    from cheesebox.web.http import Receive, Request
    from cheesebox.web.router import Answerer


log = logging.getLogger(__name__)


class Slots(Protocol):
    """The board, as it is read here."""

    def seen(self, keys: Iterable[Key]) -> tuple[tuple[int, int], ...]:
        """Give the slots of these keys and what they read."""
        ...


class Line(Protocol):
    """A connection to a worker; `LinkLost` is raised when that is gone."""

    async def send(self, frame: bytes, file: int | None = None) -> None:
        """Send a frame, and an open file with it."""
        ...

    async def receive(self) -> bytes:
        """Give the next frame."""
        ...

    async def wait_lost(self) -> None:
        """Return when the worker is gone."""
        ...


class Desk:
    """Serves workers."""

    def __init__(
        self,
        answer: Answerer,
        slots: Slots,
        ledger: Ledger,
        hot: HotTable,
        recent: Recent,
        touch: Callable[[Key, float, int], None],
        clock: Clock,
        door: Door | None = None,
    ) -> None:
        self._answer = answer
        self._slots = slots
        self._ledger = ledger
        self._hot = hot
        self._recent = recent
        self._touch = touch
        self._clock = clock
        self._door = door

    async def serve(self, line: Line) -> None:
        """Answer one worker's connection until it is gone (`LinkLost`)."""
        await line.send(b"")
        while True:
            said = unpack_worker(await line.receive())
            if isinstance(said, Asked):
                await self._serve(said, line)
            else:
                self._take(said)
                await line.send(pack(End()))

    def _take(self, report: Report) -> None:
        for one in report.counted:
            self._ledger.count(Tally(one.index, one.kind, one.outcome), one.size, one.answers)
        for code, answers in report.codes.items():
            self._ledger.count_code(code, answers)
        for use in report.uses:
            self._touch(Key(use.key), use.at, use.hits)

    async def _serve(self, asked: Asked, line: Line) -> None:
        request, clearings = asked.request, self._hot.clearings
        response = await self._answer(request, _body(asked))
        if response.cache == Verdict.STALE.value:
            self._recent.stale(time.time(), request.path)
        part = response.body
        if isinstance(part, FileSlice) and request.method != "HEAD" and part.file.blob is None:
            await self._stream(request, response, part, line)
            return
        try:
            is_current = clearings == self._hot.clearings
            await self._send(request, response, line, is_current=is_current)
        finally:
            if response.closing is not None:
                response.closing()

    async def _send(self, request: Request, response: Response, line: Line, *, is_current: bool) -> None:
        part, file = response.body, None
        if request.method == "HEAD":
            body: Whole | Handed = Whole(b"")
        elif isinstance(part, FileSlice) and (blob := part.file.blob) is not None:
            body, file = Handed(part.start, blob.size if part.stop is None else part.stop), blob.fileno()
        else:
            body = Whole(part if isinstance(part, bytes) else b"")
        offer = None
        if response.ready is not None and is_current:
            offer = self._offer(response.ready, body)
        await line.send(pack(self._head(request, response, body, offer)), file)

    def _head(
        self, request: Request, response: Response, body: Whole | Handed | Streamed, offer: Offer | None
    ) -> Answer:
        given = request.header("authorization")
        admits = self._door is not None and given is not None and self._door.knows(given.encode("latin-1"))
        return Answer(
            response.status,
            response.headers,
            response.cache,
            response.kind,
            response.index,
            body,
            offer,
            admits,
        )

    def _offer(self, ready: Template, body: Whole | Handed) -> Offer | None:
        """Tell how the worker may answer by itself (rule 1)."""
        terms = ready.source.terms()
        if terms is None or ready.source.remaining() is None:
            return None
        is_own = isinstance(ready.body, memoryview) or (isinstance(body, Whole) and body.body is ready.body)
        return Offer(
            ready.key,
            ready.kind,
            ready.etag,
            ready.head,
            self._slots.seen(terms.keys),
            self._clock(),
            terms.ends,
            terms.most,
            None if is_own else bytes(ready.body),
        )

    async def _stream(self, request: Request, response: Response, part: FileSlice, line: Line) -> None:
        head = self._head(request, response, Streamed(part.start, part.stop), None)

        async def receive() -> Message:
            await line.wait_lost()
            return {"type": "http.disconnect"}

        sent = Sent(_Frames(line, head))
        try:
            await send_response(response, request.method, receive, sent)
        except ClientGone as error:
            raise LinkLost("the worker has left") from error
        except LinkLost:
            raise
        except Exception as error:
            if not sent.has_begun:
                await self._send(request, failure(request, error), line, is_current=False)
                return
            if not isinstance(error, CheeseboxError):  # else the worker logs it, with the client's request
                log.error("cut the answer to %s %s", request.method, request.path, exc_info=error)
            await line.send(pack(Cut(str(error))))


class _Frames:
    """Sends an answer's ASGI messages as frames."""

    def __init__(self, line: Line, head: Answer) -> None:
        self._line = line
        self._head = head

    async def __call__(self, message: Message) -> None:
        """Send one message."""
        if message["type"] == "http.response.start":
            await self._line.send(pack(self._head))
            return
        if message["body"]:
            await self._line.send(pack(Chunk(message["body"])))
        if not message.get("more_body"):
            await self._line.send(pack(End()))


def _body(asked: Asked) -> Receive:
    """Give the request's body as a server would: whole, and then nothing more."""

    async def receive() -> Message:
        return {"type": "http.request", "body": asked.body, "more_body": False}

    return receive
