"""The API below ``/-/api/v1/``: JSON in, JSON out. Reading is open, changing goes through the gate.

One table says what can be read; requests are routed by it, and the OpenAPI document is made of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import msgspec

from cheesebox.errors import InvalidName, InvalidRequest
from cheesebox.ports import Order
from cheesebox.web import models, openapi, problems
from cheesebox.web.http import Request, Response, read_body
from cheesebox.web.openapi import PROJECT, Change, Read
from cheesebox.web.parameters import Choice, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from cheesebox.web.gate import Gate
    from cheesebox.web.http import Receive
    from cheesebox.web.operations import Operations

    Handler = Callable[["_Asked"], Awaitable[msgspec.Struct]]

PREFIX = "/-/api/v1/"
DESCRIPTION = "openapi.json"
_LONGEST_BODY = 64 * 1024

HOURS = Whole("hours", "how many hours back, with this one", 24, 1, 35 * 24)
SEARCH = Text("search", "a part of the project's name, in any spelling")
ORDER = Choice("order", "names go upwards, all else downwards", tuple(order.value for order in Order))
LIMIT = Whole("limit", "how many at most", 100, 1, 1000)
OFFSET = Whole("offset", "how many to leave out at the beginning", 0, 0, 10**9)

PURGE = Change(
    "purge", "Remove cached objects; the next request asks upstream.", models.PurgeRequest, models.Purged
)

OFFLINE = Change(
    "offline", "Go offline, where no upstream is asked, or online again.", models.Offline, models.Offline
)
_CHANGES = {change.path: change for change in (PURGE, OFFLINE)}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A read as its handler gets it; ``project`` is what the path says at that place."""

    request: Request
    project: str = ""


class Api:
    """Answers what is asked below its prefix."""

    def __init__(self, operations: Operations, gate: Gate) -> None:
        self._operations = operations
        self._gate = gate
        self._reads = {read.path: (read, handler) for read, handler in self._table()}

    def _table(self) -> Iterator[tuple[Read, Handler]]:
        yield Read("overview", "State of the cache, counts since the start.", models.Overview), self._overview
        history = Read("history", "Counts by the hour, over restarts.", models.HistoryDocument, (HOURS,))
        yield history, self._history
        query = (SEARCH, ORDER, LIMIT, OFFSET)
        yield Read("projects", "What is cached, by project.", models.Projects, query), self._projects
        yield Read(f"projects/{PROJECT}", "What is cached of one project.", models.Project), self._project
        highlights = Read(
            "highlights", "Newest and largest files, sums by index and kind.", models.Highlights
        )
        yield highlights, self._highlights
        activity = Read("activity", "Downloads under way, recent errors and stale answers.", models.Activity)
        yield activity, self._activity
        settings = Read("settings", "Settings in force; secrets are hidden.", models.SettingsDocument)
        yield settings, self._settings

    async def answer(self, request: Request, path: str, receive: Receive) -> Response:
        """Answer a request for ``path`` below the API; raises `CheeseboxError`."""
        if path in _CHANGES:
            return await self._change(_CHANGES[path], request, receive)
        name, asked = _understood(request, path)
        if name not in self._reads and name != DESCRIPTION:
            return problems.not_found()
        if not request.is_read:
            return problems.method_not_allowed("GET, HEAD")
        if name == DESCRIPTION:
            return _json(self._described(request.prefix + PREFIX))
        _, handler = self._reads[name]
        return _json(await handler(asked))

    def _described(self, root: str) -> dict[str, Any]:
        return openapi.document([read for read, _ in self._reads.values()], list(_CHANGES.values()), root)

    async def _change(self, change: Change, request: Request, receive: Receive) -> Response:
        if request.method != "POST":
            return problems.method_not_allowed("POST")
        self._gate.clear(request)
        match _decoded(await read_body(receive, _LONGEST_BODY), change.body):
            case models.Offline(is_offline):
                return _json(self._operations.switch(is_offline=is_offline))
            case models.PurgeRequest() as asked:
                return _json(await self._purge(asked))
            case other:
                raise TypeError(f"nothing is done about {type(other)}")

    async def _overview(self, _: _Asked) -> models.Overview:
        return self._operations.overview()

    async def _history(self, asked: _Asked) -> models.HistoryDocument:
        return await self._operations.history(HOURS.read(asked.request))

    async def _projects(self, asked: _Asked) -> models.Projects:
        request = asked.request
        search, order = SEARCH.read(request), Order(ORDER.read(request))
        return await self._operations.projects(search, order, LIMIT.read(request), OFFSET.read(request))

    async def _project(self, asked: _Asked) -> models.Project:
        return await self._operations.project(asked.project)

    async def _highlights(self, _: _Asked) -> models.Highlights:
        return await self._operations.highlights()

    async def _activity(self, _: _Asked) -> models.Activity:
        return self._operations.activity()

    async def _settings(self, _: _Asked) -> models.SettingsDocument:
        return self._operations.settings()

    async def _purge(self, body: models.PurgeRequest) -> models.Purged:
        try:
            return await self._operations.purge(body)
        except InvalidName as error:
            raise InvalidRequest(str(error)) from error


def _understood(request: Request, path: str) -> tuple[str, _Asked]:
    """Give the path as the table has it, and what stands at the place of the project."""
    head, slash, rest = path.partition("/")
    if slash and rest and "/" not in rest:
        return f"{head}/{PROJECT}", _Asked(request, unquote(rest))
    return path, _Asked(request)


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not what it should be: {error}") from error


def _json(document: object) -> Response:
    body = msgspec.json.encode(document)
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ]
    return Response(200, headers, body, kind="own")
