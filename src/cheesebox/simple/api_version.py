"""Versions of the Simple API: what a page states, what we can read, what HTML can state (PEP 629)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cheesebox.errors import UnreadablePage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BASE_VERSION = "1.0"
"""What a page speaks that states no version."""

_VERSION = re.compile(r"(?P<major>[0-9]{1,9})(?:\.(?P<minor>[0-9]{1,9}))?")
_MAJOR = 1
# PEP 833 froze HTML there: what later versions add is for JSON alone.
_LAST_OF_HTML = (1, 4)


def stated_api_version(document: Mapping[str, Any]) -> str:
    """Give ``meta.api-version`` of a JSON document, ``1.0`` where it is absent or no version."""
    meta = document.get("meta")
    version = meta.get("api-version") if isinstance(meta, dict) else None
    return version if isinstance(version, str) and _VERSION.fullmatch(version) else BASE_VERSION


def check_api_version(version: str) -> None:
    """Raise `UnreadablePage` for a major version that may mean anything; minor ones only add."""
    major, _ = _parse(version)
    if major != _MAJOR:
        raise UnreadablePage(f"The page speaks version {version} of the Simple API, which is unknown here")


def html_api_version(version: str) -> str:
    """Give the version that an HTML rendering of the page may state."""
    major, minor = min(_parse(version), _LAST_OF_HTML)
    return f"{major}.{minor}"


def lowest_api_version(versions: Sequence[str]) -> str:
    """Give the version that holds for all of several documents."""
    return min(versions, key=_parse)


def _parse(version: str) -> tuple[int, int]:
    parts = _VERSION.fullmatch(version)
    return (int(parts["major"]), int(parts["minor"] or 0)) if parts else (_MAJOR, 0)
