"""Who may change something. Reading is open; changing needs the admin token, and no other site's page.

A browser tells where a request comes from (``Sec-Fetch-Site``, ``Origin``): one that another site
caused is refused even with the token, since the browser may have added it by itself.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from cheesebox.errors import Forbidden, Unauthorized

if TYPE_CHECKING:
    from cheesebox.web.http import Request

_OWN_SITE = frozenset({"same-origin", "none"})


class Gate:
    """Lets those in who know ``admin_token``; without one, only those who come by the control socket."""

    def __init__(self, admin_token: str | None) -> None:
        self._token = admin_token

    def clear(self, request: Request) -> None:
        """Let a request that changes something pass; raises `Unauthorized` or `Forbidden`."""
        if request.is_trusted:
            return
        if is_cross_site(request):
            raise Forbidden("another site's page may not change this cache")
        if not self._token:
            raise Forbidden("nothing can be changed over the network: no admin_token is set")
        given = bearer_token(request.header("authorization"))
        if given is None or not is_same_secret(given, self._token.encode()):
            raise Unauthorized("this needs the admin token: Authorization: Bearer …")


def bearer_token(authorization: str | None) -> bytes | None:
    """Give the token of an ``Authorization: Bearer`` field (RFC 6750 §2.1), as its bytes were sent."""
    scheme, _, given = (authorization or "").partition(" ")
    return given.strip().encode("latin-1") if scheme.lower() == "bearer" else None


def is_same_secret(given: bytes, secret: bytes) -> bool:
    """Compare in a time that tells neither where they differ nor how long the secret is."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(secret).digest())


def is_cross_site(request: Request) -> bool:
    """Tell whether a browser sent this on behalf of another site."""
    site = request.header("sec-fetch-site")
    if site is not None:
        return site not in _OWN_SITE
    origin = request.header("origin")
    return origin is not None and origin.partition("://")[2] != request.header("host")
