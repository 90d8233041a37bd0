"""How a request for the rest of a file is put, and how its answer is understood (RFC 9110 §14). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.errors import BodyChanged, DigestMismatch, NotFound, UpstreamBroken, UpstreamStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cheesebox.errors import UpstreamError

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)\Z")
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})\Z")
_NUMBER = re.compile(r"[0-9]{1,18}")
_GONE = (404, 410)
_OK, _PARTIAL, _SERVER_ERROR = 200, 206, 500


@dataclass(frozen=True, slots=True)
class Begin:
    """An answer that can be used. ``skip`` bytes of its body are already there; ``total`` bytes in all."""

    skip: int
    total: int | None


def request_headers(offset: int, stop: int | None = None, validator: str = "") -> dict[str, str]:
    """Ask for the bytes from ``offset`` up to ``stop``, or the whole file."""
    headers = {"Accept-Encoding": "identity"}
    if offset or stop is not None:
        headers["Range"] = f"bytes={offset}-{'' if stop is None else stop - 1}"
        if validator.startswith('"'):
            headers["If-Range"] = validator
    return headers


def asked_slice(headers: Mapping[str, str], size: int) -> tuple[int, int] | None:
    """Read what `request_headers` has put, of a file of ``size`` bytes; None: the whole file."""
    found = _RANGE.match(headers.get("Range", ""))
    if found is None:
        return None
    return int(found[1]), min(size, int(found[2]) + 1) if found[2] else size


def understand(status: int, headers: Mapping[str, str], url: str, offset: int, total: int | None) -> Begin:
    """Understand the answer to `request_headers`.

    Raises `NotFound`, `UpstreamStatus`, `UpstreamBroken`, or `BodyChanged` when the length is no more
    the one that was told before.
    """
    if status in _GONE:
        raise NotFound(f"{url}: not found")
    if status not in (_OK, _PARTIAL):
        raise UpstreamStatus(f"{url} answered {status}", upstream_status=status)
    if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise UpstreamBroken(f"{url}: sent with a content coding that was not asked for")
    begin = _whole(headers, offset) if status == _OK else _part(headers, url, offset)
    if total is not None and begin.total is not None and begin.total != total:
        raise BodyChanged(f"{url}: {begin.total} bytes long, {total} bytes before")
    return begin


def is_lasting(error: UpstreamError) -> bool:
    """Tell whether asking again cannot help: other bytes, or a refusal that is no trouble of a server."""
    if isinstance(error, UpstreamStatus):
        return error.upstream_status < _SERVER_ERROR
    return isinstance(error, BodyChanged | DigestMismatch)


def length_of(headers: Mapping[str, str]) -> int | None:
    """Give ``Content-Length`` in bytes, None if it is missing or no number."""
    return number(headers.get("content-length", ""))


def number(text: str) -> int | None:
    """Read a header's number: ASCII digits, not so many that reading them becomes work."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _whole(headers: Mapping[str, str], offset: int) -> Begin:
    return Begin(offset, length_of(headers))


def _part(headers: Mapping[str, str], url: str, offset: int) -> Begin:
    found = _CONTENT_RANGE.match(headers.get("content-range", ""))
    if not found or int(found[1]) != offset:
        raise UpstreamBroken(f"{url}: sent another range than the one asked for")
    return Begin(0, None if found[3] == "*" else int(found[3]))
