"""What a path below a static mount means. Pure: a path goes in, names go in the file system's bytes.

Names that begin with a dot are not there (``.git``, ``.env``), but for ``.well-known`` (RFC 8615).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from cheesebox.errors import InvalidPath

_LONGEST = 4096
_WELL_KNOWN = b".well-known"
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class StaticPath:
    """The names on the way from the root, and whether a slash ends the path: that means a folder."""

    names: tuple[bytes, ...]
    is_folder: bool


def parse(path: str) -> StaticPath:
    """Read a percent-encoded path without its leading slash; raises `InvalidPath`."""
    if len(path) > _LONGEST or not path.isascii() or _BROKEN_ESCAPE.search(path):
        raise InvalidPath("not percent-encoded as a path (RFC 3986 §3.3), or too long")
    *names, last = map(unquote_to_bytes, path.split("/"))
    is_folder = not last
    if last:
        names.append(last)
    for name in names:
        if not name or b"/" in name or b"\0" in name or is_hidden(name):
            raise InvalidPath("a name that cannot be, or that is hidden")
    return StaticPath(tuple(names), is_folder)


def is_hidden(name: bytes) -> bool:
    """Tell whether a name is left alone; ``.`` and ``..`` are."""
    return name.startswith(b".") and name != _WELL_KNOWN
