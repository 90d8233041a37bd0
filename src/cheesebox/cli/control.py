"""One way for all commands to the cache's API: the running server's, this process's own, or a remote one's.

The server that holds a cache directory listens on ``control.sock`` in it. Where none runs, the cache is
opened in this process without housekeeping and without an upstream, and the same API answers.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from cheesebox.app import build_app
from cheesebox.errors import CacheInUse, CheeseboxError, SettingsError, UpstreamUnreachable
from cheesebox.server.control import NAME, address, vouching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from cheesebox.ports import UpstreamAnswer
    from cheesebox.settings import Settings
    from cheesebox.web.http import ASGIApp, Message

    T = TypeVar("T", bound=msgspec.Struct)

_API = "/-/api/v1/"
_PATIENCE = 3.0
"""Seconds to wait for a directory that another program has: a server may just be starting or stopping."""
_POLL = 0.1
_CONNECT_TIMEOUT, _SILENCE = 10.0, 600.0  # seconds; a purge of everything answers when it is done
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404


class ControlError(CheeseboxError):
    """There is no way to the cache, or it refused; the message says what to do."""


class _Problem(msgspec.Struct):
    """A problem document (RFC 9457), as far as it matters here."""

    title: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes


class Transport(Protocol):
    """Carries one request to an API; raises `ControlError` when there is no answer."""

    async def send(self, method: str, target: str, body: bytes) -> Reply:
        """Send one request; ``target`` is path and query, percent-encoded."""
        ...


class Control:
    """A client of the API. ``where`` names it in messages, ``is_live`` tells of a running server."""

    def __init__(self, transport: Transport, where: str, *, is_live: bool) -> None:
        self._transport = transport
        self.where = where
        self.is_live = is_live

    async def get(self, path: str, kind: type[T], parameters: Mapping[str, object] | None = None) -> T:
        """Read a document; raises `ControlError`."""
        query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in (parameters or {}).items())
        target = _API + quote(path) + (f"?{query}" if query else "")
        return self._decoded(await self._transport.send("GET", target, b""), kind)

    async def change(self, path: str, request: msgspec.Struct, kind: type[T]) -> T:
        """Ask for a change; raises `ControlError`."""
        reply = await self._transport.send("POST", _API + path, msgspec.json.encode(request))
        return self._decoded(reply, kind)

    def _decoded(self, reply: Reply, kind: type[T]) -> T:
        if reply.status != _OK:
            self._refuse(reply)
        try:
            return msgspec.json.decode(reply.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ControlError(
                f"{self.where} answers, but not as a cheesebox of this version: {error}"
            ) from error

    def _refuse(self, reply: Reply) -> NoReturn:
        try:
            problem = msgspec.json.decode(reply.body, type=_Problem)
        except (msgspec.DecodeError, UnicodeDecodeError):
            problem = _Problem()
        said = problem.detail or problem.title or f"status {reply.status}"
        raise ControlError(f"{self.where}: {said}{_HINTS.get(reply.status, '')}")


_HINTS = {
    _UNAUTHORIZED: "; give that server's token as admin_token (CHEESEBOX_ADMIN_TOKEN)",
    _FORBIDDEN: "; set admin_token there and here, or run this beside it as its user",
    _NOT_FOUND: "; give the root of a cheesebox, such as --server http://127.0.0.1:6283",
}


@asynccontextmanager
async def open_control(settings: Settings, server: str | None = None) -> AsyncIterator[Control]:
    """Find the way to the cache of these settings, or to the one at the URL ``server``.

    Raises `ControlError`, `SettingsError` or `StoreError` when there is none.
    """
    async with AsyncExitStack() as stack:
        if server is None:
            yield await _local(settings, stack)
        else:
            session = await stack.enter_async_context(_session())
            root = server.rstrip("/")
            yield Control(_Http(session, root, root, settings.admin_token), root, is_live=True)


def require_catalogue(settings: Settings) -> Path:
    """Give the file of the catalogue; raises `SettingsError` when there is no cache (that can be read)."""
    path = settings.cache_dir / "catalogue.sqlite"
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError(
            f"cache_dir {settings.cache_dir}: no catalogue there; nothing was cached yet"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"cache_dir {settings.cache_dir}: {error.strerror}; run this as the user whose cache it is"
        ) from error
    return path


async def _local(settings: Settings, stack: AsyncExitStack) -> Control:
    require_catalogue(settings)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE
    while True:
        if (control := await _by_socket(settings.cache_dir, stack)) is not None:
            return control
        try:
            return await _in_process(settings, stack)
        except CacheInUse as error:
            if loop.time() >= deadline:
                raise ControlError(
                    f"cache_dir {settings.cache_dir}: another program has it, and no server listens on "
                    f"{NAME} there; if cheesebox is part of another site, give its URL with --server URL"
                ) from error
        await asyncio.sleep(_POLL)


async def _by_socket(cache_dir: Path, stack: AsyncExitStack) -> Control | None:
    """Connect to the server of this directory; None when there is none."""
    path = cache_dir / NAME
    short = stack.enter_context(address(path))
    try:
        _, writer = await asyncio.open_unix_connection(short)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror}; run this as the user of the server") from error
    writer.close()
    session = await stack.enter_async_context(_session(aiohttp.UnixConnector(short)))
    return Control(_Http(session, "http://localhost", str(path), None), str(path), is_live=True)


def _session(connector: aiohttp.BaseConnector | None = None) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT, sock_read=_SILENCE)
    return aiohttp.ClientSession(connector=connector, timeout=timeout)


class _Http:
    """A server's API over HTTP. The token goes with changes only."""

    def __init__(self, session: aiohttp.ClientSession, root: str, where: str, token: str | None) -> None:
        self._session = session
        self._root = root
        self._where = where
        self._token = token

    async def send(self, method: str, target: str, body: bytes) -> Reply:
        """Send one request. Redirects are not followed: a token is for whom it was given."""
        headers = {"authorization": f"Bearer {self._token}"} if self._token and method == "POST" else {}
        url = URL(self._root + target, encoded=True)
        try:
            asking = self._session.request(
                method, url, data=body or None, headers=headers, allow_redirects=False
            )
            async with asking as answer:
                return Reply(answer.status, await answer.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ControlError(f"{self._where}: {str(error) or type(error).__name__}") from error


async def _in_process(settings: Settings, stack: AsyncExitStack) -> Control:
    app = build_app(replace(settings, access_log=False), upstream=_NoUpstream(), housekeeping=False)
    await stack.enter_async_context(app)
    return Control(_InProcess(vouching(app)), str(settings.cache_dir), is_live=False)


class _NoUpstream:
    """Stands where no request may go out."""

    def request(
        self,
        method: str,  # noqa: ARG002 - the port's signature
        url: str,
        headers: Mapping[str, str],  # noqa: ARG002 - as above
    ) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Refuse."""
        raise UpstreamUnreachable(f"{url} is not asked while the cache is only looked at")


class _InProcess:
    """An application's API, called in this process (ASGI 3.0)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def send(self, method: str, target: str, body: bytes) -> Reply:
        """Send one request."""
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), (b"content-length", str(len(body)).encode())],
            "client": None,
            "server": None,
        }
        status, answered = 0, bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answered.extend(message.get("body", b""))

        await self._app(scope, receive, send)
        return Reply(status, bytes(answered))
