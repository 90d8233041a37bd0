"""The API below ``/-/api/v1/``: JSON in, JSON out. Reading is open, changing goes through the gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

import msgspec

from cheesebox.errors import InvalidName, InvalidRequest
from cheesebox.ports import Order
from cheesebox.web import models, problems
from cheesebox.web.http import Request, Response, read_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cheesebox.web.gate import Gate
    from cheesebox.web.http import Receive
    from cheesebox.web.operations import Operations

    Handler = Callable[[Request], Awaitable[msgspec.Struct]]

_LONGEST_BODY = 64 * 1024
_MOST_HOURS = 35 * 24
_MOST_PROJECTS = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number in the query, with its bounds."""

    name: str
    default: int
    least: int
    most: int

    def read(self, request: Request) -> int:
        """Give its value; raises `InvalidRequest`."""
        text = request.parameter(self.name)
        if text is None:
            return self.default
        if not text.isascii() or not text.isdecimal() or not self.least <= int(text[:20]) <= self.most:
            raise InvalidRequest(f"{self.name}: a whole number from {self.least} to {self.most} is allowed")
        return int(text)


HOURS = Parameter("hours", 24, 1, _MOST_HOURS)
LIMIT = Parameter("limit", 100, 1, _MOST_PROJECTS)
OFFSET = Parameter("offset", 0, 0, 10**9)


class Api:
    """Routes of the API."""

    def __init__(self, operations: Operations, gate: Gate) -> None:
        self._operations = operations
        self._gate = gate
        self._reads: dict[str, Handler] = {
            "overview": self._overview,
            "history": self._history,
            "projects": self._projects,
            "highlights": self._highlights,
            "activity": self._activity,
            "settings": self._settings,
        }
        self._changes: dict[str, Callable[[bytes], Awaitable[msgspec.Struct]]] = {"purge": self._purge}

    async def answer(self, request: Request, path: str, receive: Receive) -> Response:
        """Answer a request for ``path`` below the API; raises `CheeseboxError`."""
        if path in self._changes:
            return await self._change(request, path, receive)
        if path in self._reads or path.startswith("projects/"):
            if not request.is_read:
                return problems.method_not_allowed("GET, HEAD")
            return _json(await self._read(request, path))
        return problems.not_found()

    async def _read(self, request: Request, path: str) -> msgspec.Struct:
        handler = self._reads.get(path)
        if handler is not None:
            return await handler(request)
        return await self._operations.project(unquote(path.removeprefix("projects/")))

    async def _change(self, request: Request, path: str, receive: Receive) -> Response:
        if request.method != "POST":
            return problems.method_not_allowed("POST")
        self._gate.clear(request)
        return _json(await self._changes[path](await read_body(receive, _LONGEST_BODY)))

    async def _overview(self, _: Request) -> models.Overview:
        return self._operations.overview()

    async def _history(self, request: Request) -> models.HistoryDocument:
        return await self._operations.history(HOURS.read(request))

    async def _projects(self, request: Request) -> models.Projects:
        order = request.parameter("order") or Order.NAME.value
        if order not in Order.__members__.values():
            raise InvalidRequest(f"order: one of {', '.join(Order)} is allowed")
        search = (request.parameter("search") or "").lower()
        return await self._operations.projects(
            search, Order(order), LIMIT.read(request), OFFSET.read(request)
        )

    async def _highlights(self, _: Request) -> models.Highlights:
        return await self._operations.highlights()

    async def _activity(self, _: Request) -> models.Activity:
        return self._operations.activity()

    async def _settings(self, _: Request) -> models.SettingsDocument:
        return self._operations.settings()

    async def _purge(self, body: bytes) -> models.Purged:
        try:
            return await self._operations.purge(_decoded(body, models.PurgeRequest))
        except InvalidName as error:
            raise InvalidRequest(str(error)) from error


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not what it should be: {error}") from error


def _json(document: msgspec.Struct) -> Response:
    body = msgspec.json.encode(document)
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ]
    return Response(200, headers, body, kind="own")
