"""Conditional requests (RFC 9110 §13), pure."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

_ENTITY_TAG = re.compile(r'(?:W/)?"[^"]*"')


def matches_none(header: str | None, etag: str) -> bool:
    """Tell whether ``If-None-Match`` names this entity tag (weak comparison), so that 304 is right."""
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return any(tag.removeprefix("W/") == etag for tag in _ENTITY_TAG.findall(header))


def is_unmodified_since(header: str | None, last_modified: str) -> bool:
    """Tell whether ``If-Modified-Since`` is not before ``Last-Modified``. Dates that are none don't count."""
    asked, known = _seconds(header), _seconds(last_modified)
    return asked is not None and known is not None and known <= asked


def not_modified(headers: dict[str, str], etag: str, last_modified: str = "") -> bool:
    """Decide on 304: ``If-None-Match`` wins over ``If-Modified-Since`` (RFC 9110 §13.2.2)."""
    if "if-none-match" in headers:
        return matches_none(headers["if-none-match"], etag)
    return is_unmodified_since(headers.get("if-modified-since"), last_modified)


def range_applies(if_range: str | None, etag: str, last_modified: str) -> bool:
    """Tell whether the range may be sent: no ``If-Range``, or its validator is exactly ours (§13.1.5)."""
    if if_range is None:
        return True
    validator = if_range.strip()
    if validator.startswith(('"', "W/")):
        return validator == etag
    return bool(last_modified) and validator == last_modified


def _seconds(date: str | None) -> float | None:
    if not date:
        return None
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
