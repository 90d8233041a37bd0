"""The control socket: how the command line talks to the server that has a cache directory.

A Unix socket in the cache directory, which only its owner can open: who can is vouched for, and needs
no token. It is bound once the directory's lock is held, so a socket that lies there is a dead one's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from cheesebox.web.http import TRUSTED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cheesebox.web.http import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

NAME = "control.sock"
_LONGEST_ADDRESS = 100
_BACKLOG = 16


class ControlSocket:
    """Serves an application to those who may open the socket."""

    def __init__(self, app: ASGIApp, cache_dir: Path) -> None:
        self._path = cache_dir / NAME
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._config = uvicorn.Config(
            vouching(app),
            http=HttpToolsProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
        )

    async def start(self) -> None:
        """Listen. Where that can't be, the log says so and the server goes on without."""
        self._config.load()
        try:
            sock = _bound(self._path)
        except OSError as error:
            log.warning("no control socket: %s: %s", self._path, error.strerror or error)
            return
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._protocol, sock=sock)

    def _protocol(self) -> asyncio.Protocol:
        return HttpToolsProtocol(config=self._config, server_state=self._state, app_state={})

    async def stop(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._state.connections):
            if (transport := getattr(connection, "transport", None)) is not None:
                transport.abort()
        with suppress(OSError):
            self._path.unlink()


def vouching(app: ASGIApp) -> ASGIApp:
    """Wrap an application so that all who ask are trusted."""

    async def vouched(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, TRUSTED: True}, receive, send)

    return vouched


def _bound(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            path.unlink()
        with address(path) as short:
            sock.bind(short)
        path.chmod(0o600)  # before it listens: until then nobody gets in
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


@contextmanager
def address(path: Path) -> Iterator[str]:
    """Give an address that fits into a Unix socket's 108 bytes, by way of the directory's handle."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
