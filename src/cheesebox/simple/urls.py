"""Web addresses in pages: made absolute, folded, and told from links that lead elsewhere."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import SplitResult, urldefrag, urljoin, urlsplit

# Letters that stand for themselves and ports that are ports: taking them apart changes nothing.
_HOST = r"https?://[a-z0-9][a-z0-9.-]*(?::(?:[0-9]{1,4}|[1-5][0-9]{4}))?"
_NAME = r"[A-Za-z0-9_~%+-][A-Za-z0-9._~%+-]*"
_FRAGMENT = r"(?:#([A-Za-z0-9=_-]*))?"
_PLAIN = re.compile(rf"({_HOST}(?:/[A-Za-z0-9._~%+-]*)+){_FRAGMENT}")
"""A URL without a query."""
_PLAIN_BELOW = re.compile(rf"((?:\.\./)*)((?:{_NAME}/)*{_NAME}){_FRAGMENT}")
"""A way up, a way down, and no dots in between."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


def split_web_url(url: str) -> SplitResult | None:
    """Split an http(s) URL into scheme, folded host and port, and path; the rest is left out.

    ``None`` for every other scheme and for what is no URL. A default port and credentials are dropped.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in _DEFAULT_PORTS:
        return None
    host = f"[{host}]" if ":" in host else host
    shown = "" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}"
    return SplitResult(parts.scheme, host + shown, parts.path, "", "")


def resolve_link(reference: str, base: str) -> tuple[str, str] | None:
    """Give the absolute http(s) URL that a page means, and its fragment; ``None`` for other links."""
    # Big indexes write thousands of links on a page; taking them apart would be most of the reading.
    if plain := _PLAIN.fullmatch(reference):
        return plain[1], plain[2] or ""
    if (plain := _PLAIN_BELOW.fullmatch(reference)) and (start := _climb(base, plain[1])):
        return start + plain[2], plain[3] or ""
    return resolve_any_link(reference, base)


def resolve_any_link(reference: str, base: str) -> tuple[str, str] | None:
    """Do the same for any link, plain or not."""
    try:
        joined = reference if reference.startswith(("https://", "http://")) else urljoin(base, reference)
        url, fragment = urldefrag(joined)
    except ValueError:
        return None
    return (url, fragment) if split_web_url(url) else None


@lru_cache(maxsize=64)
def _climb(base: str, up: str) -> str | None:
    """Give the directory that a page's links start from; ``None`` where they lead out of the web."""
    start = resolve_any_link(up or ".", base)
    return None if start is None else start[0]
