"""Web addresses in pages: made absolute, folded, and told from links that lead elsewhere."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urldefrag, urljoin, urlsplit

_PLAIN = re.compile(r"https?://[a-z0-9][a-z0-9.-]*(/[A-Za-z0-9._~%+-]*)+")
"""A URL without port, query and fragment, in nothing but letters that stand for themselves."""
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
    # Big indexes write thousands of absolute URLs on a page; taking them apart is most of the reading.
    if _PLAIN.fullmatch(reference):
        return reference, ""
    try:
        joined = reference if reference.startswith(("https://", "http://")) else urljoin(base, reference)
        url, fragment = urldefrag(joined)
    except ValueError:
        return None
    return (url, fragment) if split_web_url(url) else None
