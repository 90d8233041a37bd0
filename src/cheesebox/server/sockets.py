"""Binding the port, before anything else is opened."""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any

from cheesebox.errors import SettingsError

_BACKLOG = 2048
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


def listen(host: str, port: int) -> socket.socket:
    """Give a listening socket; port 0 takes a free one. Raises `SettingsError`.

    It listens at once: two processes that have only bound the same port do not see each other.
    """
    return _listen(host, port, shared=False)


def _listen(host: str, port: int, *, shared: bool) -> socket.socket:
    family, address = _resolve(host, port)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise SettingsError(_explain(error, host, port)) from error
    sock.setblocking(False)
    return sock


def listen_apart(host: str, port: int, count: int) -> list[socket.socket]:
    """Give sockets that listen on one port and between which the system spreads connections.

    Where it does not spread them (elsewhere than on Linux), the same socket several times over. Raises
    `SettingsError` like `listen`, which comes first: with shared ports somebody else's is not seen.
    """
    first = listen(host, port)
    if not sys.platform.startswith("linux"):
        return [first, *(first.dup() for _ in range(count - 1))]
    with first:
        port = first.getsockname()[1]
    return [_listen(host, port, shared=True) for _ in range(count)]


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingsError(f"host {host!r} cannot be resolved: give an address with --host") from error
    family, _, _, _, address = found[0]
    return family, address


def _explain(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} on {host} is in use: stop what listens there or give another with --port"
        case errno.EACCES:
            return f"port {port} needs more rights: give one from 1024 with --port"
        case errno.EADDRNOTAVAIL:
            return f"this machine has no address {host}: give one of its own with --host"
        case _:
            return f"cannot listen on {host} port {port}: {error.strerror}"


def root_url(sock: socket.socket, scheme: str = "http") -> str:
    """Give the URL by which this machine reaches the socket, without a slash at the end."""
    host, port = sock.getsockname()[:2]
    host = _WILDCARDS.get(host, host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
