"""Finds the server that has the cache directory, when another command cannot have it."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cheesebox.settings import Settings

_PROBE_TIMEOUT = 2.0


def find_server(settings: Settings) -> str | None:
    """Give the root URL of a cheesebox that answers on the configured port."""
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=_PROBE_TIMEOUT)
    try:
        connection.request("GET", "/-/ready")
        healthy = connection.getresponse().read(64) == b"ready\n"
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}" if healthy else None
