"""Finds the server that has the cache directory, when another command cannot have it."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from cheesebox.cli.probe import connection_to

if TYPE_CHECKING:
    from cheesebox.settings import Settings


def find_server(settings: Settings) -> str | None:
    """Give the root URL of a cheesebox that answers on the configured port."""
    connection = connection_to(settings.host, settings.port, tls=settings.tls_cert is not None)
    try:
        connection.request("GET", "/-/ready")
        healthy = connection.getresponse().read(64) == b"ready\n"
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{host}:{settings.port}" if healthy else None
