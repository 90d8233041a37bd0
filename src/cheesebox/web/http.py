"""Requests and responses as the routes see them; the ASGI messages are made here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote

from cheesebox.cache.files import StoredFile
from cheesebox.cache.static_files import StaticFile
from cheesebox.errors import CheeseboxError, InvalidRequest

if TYPE_CHECKING:
    from cheesebox.cache.files import OpenFile
    from cheesebox.web.hot import Template

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
VIEWS = "cheesebox.views"
"""ASGI extension of ours: bodies may be memoryviews that only system calls may touch."""

TRUSTED = "cheesebox.trusted"
"""Key of ours in the ASGI scope: the server vouches for who asks."""

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``path`` is percent-encoded, without query and without the application's own prefix."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    client: str = "-"
    target: bytes = b""
    """The request target as it was sent."""
    takes_views: bool = False
    """Whether the server hands bodies to the kernel untouched, so that they may be views of files."""
    prefix: str = ""
    """The application's own prefix (ASGI ``root_path``), percent-encoded."""
    is_trusted: bool = False
    """Whether it came by the control socket, which only the owner of the cache can open."""

    def header(self, name: str) -> str | None:
        """Give a header field by its lower-case name; repeated fields are joined by commas."""
        return self.headers.get(name)

    def parameter(self, name: str) -> str | None:
        """Give the first value of a query parameter. ``+`` stays a plus: media types have it."""
        for field in self.query.split("&"):
            found, _, value = field.partition("=")
            if found == name:
                return unquote(value)
        return None

    @property
    def is_read(self) -> bool:
        """Tell whether the method is GET or HEAD."""
        return self.method in ("GET", "HEAD")

    @property
    def wants_refresh(self) -> bool:
        """Tell whether the client asks for a revalidation (uv's ``--refresh``).

        ``max-age=0`` does not count: pip up to 26.1 sends it with every request.
        """
        return "no-cache" in self.headers.get("cache-control", "").lower()


def request_from(scope: Scope) -> Request:
    """Read an ASGI scope."""
    raw: bytes | None = scope.get("raw_path")
    path = raw.decode("latin-1").partition("?")[0] if raw else quote(scope["path"], safe="/+")
    prefix = quote((scope.get("root_path") or "").rstrip("/"), safe="/+")
    if path.startswith(f"{prefix}/"):
        path = path[len(prefix) :]
    headers: dict[str, str] = {}
    for name_bytes, value_bytes in scope["headers"]:
        name, value = name_bytes.decode("latin-1"), value_bytes.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    client = scope.get("client")
    query: bytes = scope.get("query_string", b"")
    target = (raw or b"") + (b"?" + query if query else b"")
    peer = client[0] if client else "-"
    return Request(
        scope["method"],
        path,
        query.decode("latin-1"),
        headers,
        peer,
        target,
        takes_views=VIEWS in (scope.get("extensions") or {}),
        prefix=prefix,
        is_trusted=scope.get(TRUSTED, False),
    )


@dataclass(frozen=True, slots=True)
class FileSlice:
    """A part of an open file: bytes ``start`` up to ``stop`` (None: to its end)."""

    file: OpenFile
    start: int
    stop: int | None


@dataclass(slots=True)
class Response:
    """What to answer. ``cache``, ``kind`` and ``index`` are for the log and the statistics."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | FileSlice = b""
    cache: str = "-"
    kind: str = "other"
    closing: Callable[[], None] | None = None
    ready: Template | None = None
    """What the server may answer by itself next time, when this answer can be repeated."""
    index: str = ""


async def send_response(
    response: Response, method: str, receive: Receive, send: Send, *, takes_views: bool = False
) -> None:
    """Send it, and close what it holds.

    ``takes_views``: the server hands bodies to the kernel untouched, so they may be views. Raises
    `ClientGone`, and what reading the body raises.
    """
    try:
        head = {
            "type": "http.response.start",
            "status": response.status,
            "headers": _encode(response.headers),
        }
        if isinstance(response.body, FileSlice) and method != "HEAD":
            await _stream(head, response.body, receive, send, takes_views=takes_views)
        else:
            body = response.body if isinstance(response.body, bytes) and method != "HEAD" else b""
            await send(head)
            await send({"type": "http.response.body", "body": body})
    finally:
        if response.closing is not None:
            response.closing()


def _encode(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


async def _stream(head: Message, part: FileSlice, receive: Receive, send: Send, *, takes_views: bool) -> None:
    """Send until the end, or until the client has gone: servers don't tell that by an error."""
    leash = asyncio.timeout(None)
    try:
        async with leash, aclosing(_chunks(part, takes_views=takes_views)) as chunks:
            watch = asyncio.ensure_future(_end_when_gone(receive, leash))
            try:
                await _send_chunks(head, chunks, send)
            finally:
                watch.cancel()
    except TimeoutError as error:
        if leash.expired():
            raise ClientGone from error
        raise


def _chunks(part: FileSlice, *, takes_views: bool) -> AsyncGenerator[bytes | memoryview]:
    if takes_views and isinstance(part.file, StoredFile | StaticFile):
        return part.file.views(part.start, part.stop)
    return part.file.stream(part.start, part.stop)


async def _end_when_gone(receive: Receive, leash: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    leash.reschedule(asyncio.get_running_loop().time())


async def _send_chunks(head: Message, chunks: AsyncGenerator[bytes | memoryview], send: Send) -> None:
    """Send the head with the first bytes: a failure that comes before them can still be told by a status."""
    begun = False
    async for chunk in chunks:
        if not begun:
            await send(head)
            begun = True
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    if not begun:
        await send(head)
    await send({"type": "http.response.body", "body": b""})


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read a request's whole body; raises `InvalidRequest` when it is longer than ``limit`` bytes."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > limit:
            raise InvalidRequest(f"the body is longer than {limit} bytes")
        if not message.get("more_body"):
            return bytes(body)


class ClientGone(Exception):
    """Nobody is there any more to take the answer."""


class Sent:
    """Passes messages on, and knows whether the head has gone out and how much of the body."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False
        self.body_bytes = 0

    async def __call__(self, message: Message) -> None:
        """Send one message. Raises `ClientGone` where the server tells so (ASGI 2.4)."""
        self.has_begun = True
        try:
            await self._send(message)
        except OSError as error:
            raise ClientGone from error
        self.body_bytes += len(message.get("body", b""))


class Startable(Protocol):
    """An application that is started before it answers; both may raise `CheeseboxError`."""

    async def start(self) -> None:
        """Make ready."""
        ...

    async def stop(self) -> None:
        """Let go of everything."""
        ...


async def run_lifespan(app: Startable, receive: Receive, send: Send) -> None:
    """Start and stop an application as its server asks (ASGI lifespan 2.0)."""
    await receive()
    try:
        await app.start()
    except CheeseboxError as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await app.stop()
    await send({"type": "lifespan.shutdown.complete"})
