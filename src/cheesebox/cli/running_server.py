"""Finds the server that has the cache directory, when another command cannot have it, and is let in."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from cheesebox.adapters.access_file import read_run_token
from cheesebox.web.door import TOKEN_USER

if TYPE_CHECKING:
    from cheesebox.settings import Settings

_PROBE_TIMEOUT = 2.0


def find_server(settings: Settings) -> str | None:
    """Give the root URL of a cheesebox that answers on the configured port, with what lets its owner in."""
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=_PROBE_TIMEOUT)
    try:
        connection.request("GET", "/-/ready")
        healthy = connection.getresponse().read(64) == b"ready\n"
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return let_in(f"http://{host}:{settings.port}", read_run_token(settings.cache_dir)) if healthy else None


def let_in(root: str, token: str | None) -> str:
    """Put the token of those who own the cache directory into a URL; None: everybody may come in."""
    return root if token is None else root.replace("://", f"://{TOKEN_USER}:{token}@", 1)
