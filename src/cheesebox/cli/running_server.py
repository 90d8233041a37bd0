"""Finds the server that has the cache directory, when another command cannot have it, and is let in."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from cheesebox.adapters.access_file import read_run_token
from cheesebox.cli.probe import connection_to
from cheesebox.web.door import TOKEN_USER

if TYPE_CHECKING:
    from cheesebox.settings import Settings


def find_server(settings: Settings) -> str | None:
    """Give the root URL of a cheesebox that answers on the configured port, with what lets its owner in."""
    connection = connection_to(settings.host, settings.port, tls=settings.tls_cert is not None)
    try:
        connection.request("GET", "/-/ready")
        healthy = connection.getresponse().read(64) == b"ready\n"
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    root = f"{'https' if settings.tls_cert else 'http'}://{host}:{settings.port}"
    return let_in(root, read_run_token(settings.cache_dir)) if healthy else None


def let_in(root: str, token: str | None) -> str:
    """Put the token of those who own the cache directory into a URL; None: everybody may come in."""
    return root if token is None else root.replace("://", f"://{TOKEN_USER}:{token}@", 1)
