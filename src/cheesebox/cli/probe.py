"""A connection to the server that settings speak of, to see whether it is there."""

from __future__ import annotations

import http.client
import ssl

_TIMEOUT = 2.0


def connection_to(host: str, port: int, *, tls: bool) -> http.client.HTTPConnection:
    """Prepare a connection. No certificate is verified: nothing is told, and clients judge for themselves."""
    if not tls:
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)
