"""Paths of files below a mount: one decoded, canonical spelling for each, safe to use as a key.

Rules of this module:
1. A path is decoded exactly once, and quoted again exactly once on its way out.
2. No segment can climb, hide or split: dot segments, separators and control characters are refused
   in raw and in encoded form, so a path stays below the directory that it is joined to.
"""

from __future__ import annotations

import re
from typing import NewType
from urllib.parse import quote, unquote_to_bytes

from cheesebox.errors import InvalidPath

FilePath = NewType("FilePath", str)
"""A decoded path below the mount: ``packages/aa/bb/<60 hex>/name.whl``, ``files/host:port/dir/name.whl``."""

MAX_SEGMENT = 255
"""Bytes of UTF-8 in one segment: what common file systems take for a name."""
MAX_PATH = 1024
"""Bytes of UTF-8 in a whole path."""

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f/\\]")
_HASHED = re.compile(r"packages/([0-9a-f]{2})/([0-9a-f]{2})/([0-9a-f]{60})/[^/]+\Z")
_NOT_THE_HASHED_FILE = (".metadata", ".asc")


def parse_file_path(raw: str) -> FilePath:
    """Read the percent-encoded path below a mount as it stood in the request target, without the query.

    Repeated slashes count as one; ``+`` and ``%2B`` are the same. Raises `InvalidPath` for anything
    that cannot name a file.
    """
    if not raw.isascii() or _BROKEN_ESCAPE.search(raw):
        raise InvalidPath("The path is not percent-encoded as RFC 3986 asks")
    *folders, filename = raw.split("/")
    segments = [_segment(folder) for folder in folders if folder]
    segments.append(_segment(filename))
    path = "/".join(segments)
    if len(path.encode()) > MAX_PATH:
        raise InvalidPath(f"The path is longer than {MAX_PATH} bytes")
    return FilePath(path)


def _segment(raw: str) -> str:
    try:
        segment = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise InvalidPath("A segment of the path is not UTF-8") from None
    if segment in {"", ".", ".."}:
        raise InvalidPath("A segment of the path is empty or made of dots")
    if _FORBIDDEN.search(segment):
        raise InvalidPath("A segment of the path holds a separator or a control character")
    if len(segment.encode()) > MAX_SEGMENT:
        raise InvalidPath(f"A segment of the path is longer than {MAX_SEGMENT} bytes")
    return segment


def quote_path(path: FilePath) -> str:
    """Percent-encode each segment, as clients do when they clean a link."""
    return quote(path, safe="/")


def filename_of(path: FilePath) -> str:
    """Give the last segment."""
    return path.rpartition("/")[2]


def blake2_of(path: FilePath) -> str | None:
    """Give the BLAKE2b-256 digest (64 hex digits) that the path promises for the file at its end.

    ``None`` where the path has no digest, or has the digest of the file that this one accompanies.
    """
    digits = _HASHED.match(path)
    if digits is None or path.endswith(_NOT_THE_HASHED_FILE):
        return None
    return "".join(digits.groups())


def metadata_of(wheel: FilePath) -> FilePath | None:
    """Give the path of a wheel's core metadata (PEP 658), None if it would be too long."""
    path = f"{wheel}.metadata"
    fits = len(path.encode()) <= MAX_PATH and len(filename_of(FilePath(path)).encode()) <= MAX_SEGMENT
    return FilePath(path) if fits else None


def wheel_of(path: FilePath) -> FilePath | None:
    """Give the path of the wheel whose core metadata (PEP 658) this path names."""
    wheel = path.removesuffix(".metadata")
    return None if wheel == path or not filename_of(FilePath(wheel)) else FilePath(wheel)
