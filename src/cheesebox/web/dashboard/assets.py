"""Style sheet and script: files of the package, served under names that change with their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_DIGEST_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Asset:
    """One file; ``name`` is its last path segment."""

    name: str
    content_type: str
    body: bytes


def load() -> Mapping[str, Asset]:
    """Read the package's assets; gives them by suffix (``css``, ``js``)."""
    folder = files(__package__).joinpath("assets")
    found = ((suffix, folder.joinpath(f"dashboard.{suffix}").read_bytes()) for suffix in _TYPES)
    return {suffix: _named(suffix, body) for suffix, body in found}


def _named(suffix: str, body: bytes) -> Asset:
    digest = hashlib.blake2b(body).hexdigest()[:_DIGEST_LENGTH]
    return Asset(f"{digest}.{suffix}", _TYPES[suffix], body)
