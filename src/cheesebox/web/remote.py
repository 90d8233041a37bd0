"""A body that the keeper streams, and that goes on with the next keeper when that one is lost."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from cheesebox.cache.downloads import FileHead
from cheesebox.cache.freshness import Verdict
from cheesebox.errors import CheeseboxError, LinkLost
from cheesebox.web.crossing import Asked, Chunk, Cut, Handed, Streamed, unpack_keeper

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cheesebox.cache.static_files import StaticFile
    from cheesebox.web.crossing import Answer
    from cheesebox.web.forwarding import Line, Lines
    from cheesebox.web.http import Request

log = logging.getLogger(__name__)

_OK, _PARTIAL = 200, 206
_CONDITIONS = ("range", "if-range", "if-none-match", "if-modified-since")
_MOST_RESUMPTIONS = 8


class BodyCut(CheeseboxError):
    """The keeper can't give the rest of a body."""


class Keeper(Protocol):
    """Whom to ask for the rest."""

    lines: Lines

    async def ask(self, asked: Asked) -> tuple[Answer, Line]:
        """Ask; gives the answer and the line that the rest comes on."""
        ...

    def open(self, line: Line) -> StaticFile:
        """Open the file that came along."""
        ...


class RemoteFile:
    """The body of one answer, as `FileSlice` takes it. It is streamed once."""

    blob = None
    verdict = Verdict.MISS
    collapsed = False

    def __init__(self, keeper: Keeper, request: Request, answer: Answer, line: Line) -> None:
        """Take the line over."""
        fields = dict(answer.headers)
        self.head = FileHead(None, fields.get("etag", ""))
        self._is_whole = answer.status == _OK
        self._is_of_get = request.method == "GET" and answer.status in (_OK, _PARTIAL)
        self._keeper = keeper
        self._request = request
        self._line: Line | None = line

    async def stream(self, start: int, stop: int | None) -> AsyncGenerator[bytes]:
        """Give the bytes as the keeper sends them. Raises `BodyCut`, `LinkLost` and `StoreError`."""
        position, resumptions = start, 0
        while True:
            try:
                async for chunk in self._chunks():
                    position += len(chunk)
                    yield chunk
            except LinkLost:
                resumptions += 1
                if not self._can_resume or resumptions > _MOST_RESUMPTIONS:
                    raise
                log.warning("%s goes on at byte %d with another keeper", self._request.path, position)
            else:
                return
            if stop is not None and position >= stop:  # the end of the body was there, only not told
                return
            file = await self._resume(position, stop)
            if file is not None:
                try:
                    async for chunk in file.stream(position, stop):
                        yield chunk
                finally:
                    file.close()
                return

    @property
    def _can_resume(self) -> bool:
        return self._is_of_get and self.head.etag.startswith('"')

    async def _chunks(self) -> AsyncGenerator[bytes]:
        line = self._line
        if line is None:
            raise LinkLost("the body was streamed before")
        while True:
            said = unpack_keeper(await line.receive())
            if isinstance(said, Chunk):
                yield said.body
                continue
            self._line = None
            if isinstance(said, Cut):
                self._keeper.lines.give_back(line)
                raise BodyCut(said.reason)
            self._keeper.lines.give_back(line)
            return

    async def _resume(self, position: int, stop: int | None) -> StaticFile | None:
        """Ask for the rest; gives the file if it is stored by now, else it comes on a new line."""
        self.close()
        kept = {name: value for name, value in self._request.headers.items() if name not in _CONDITIONS}
        last = "" if stop is None or self._is_whole else str(stop - 1)  # no slice: it is worth a download
        wanted = f"bytes={position}-{last}"
        headers = {**kept, "range": wanted, "if-range": self.head.etag}
        answer, line = await self._keeper.ask(Asked(replace(self._request, headers=headers)))
        if answer.status != _PARTIAL or dict(answer.headers).get("etag") != self.head.etag:
            line.close()
            raise BodyCut(f"the rest can't be had: the next keeper answered {answer.status}")
        match answer.body:
            case Handed(start) if start == position:
                return self._keeper.open(line)
            case Streamed(start) if start == position:
                self._line = line
                return None
        line.close()
        raise BodyCut("the next keeper sent another range than the one asked for")

    def close(self) -> None:
        """Leave; idempotent."""
        if self._line is not None:
            self._line.close()
            self._line = None
