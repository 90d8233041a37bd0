"""Answers for what went wrong: problem documents (RFC 9457), plain 404s, 405s."""

from __future__ import annotations

import msgspec

from cheesebox.errors import (
    CheeseboxError,
    FileWithheld,
    InvalidName,
    InvalidPath,
    NotFound,
    Unauthorized,
    UnreadableMetadata,
)
from cheesebox.simple.invalid_metadata import invalid_metadata
from cheesebox.web import heads
from cheesebox.web.http import Request, Response

_ALLOW = "GET, HEAD, OPTIONS"
_ALLOW_HEADERS = (
    "Range, Accept-Encoding, Content-Type, If-Match, If-Modified-Since, If-None-Match, "
    "If-Unmodified-Since, Cache-Control"
)


def problem(error: CheeseboxError) -> Response:
    """Tell an error truthfully: trouble upstream is 502 to 504 with ``Retry-After``, never 404."""
    if isinstance(error, NotFound | InvalidName | InvalidPath):
        return not_found()
    if isinstance(error, UnreadableMetadata):
        return _invalid_metadata(error)
    document: dict[str, str | int] = {"type": "about:blank", "title": error.title, "status": error.status}
    if error.status != CheeseboxError.status:  # what an internal error says is for the log
        document["detail"] = str(error)
    if isinstance(error, FileWithheld) and error.allowed_from:
        document["allowed_from"] = error.allowed_from
    body = msgspec.json.encode(document)
    headers = [
        ("content-type", "application/problem+json"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", "*"),
    ]
    if isinstance(error, Unauthorized):
        headers.append(("www-authenticate", error.challenge))
    if error.retry_after is not None:
        headers.append(("retry-after", str(error.retry_after)))
    return Response(error.status, headers, body)


def _invalid_metadata(error: UnreadableMetadata) -> Response:
    """Tell installers that a version cannot be used, so that they leave it aside and go on."""
    body = invalid_metadata(error.filename)
    headers = [
        ("content-type", heads.OCTETS),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", "*"),
    ]
    return Response(error.status, headers, body)


def not_found(vary: str = "Accept, Accept-Encoding") -> Response:
    """Answer as the public index does."""
    body = b"404 Not Found"
    headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(body))),
        ("vary", vary),
        ("access-control-allow-origin", "*"),
    ]
    return Response(404, headers, body)


def legacy_not_found() -> Response:
    """Answer as the legacy JSON API does."""
    body = b'{"message": "Not Found"}'
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("vary", "Accept-Encoding"),
        ("access-control-allow-origin", "*"),
    ]
    return Response(404, headers, body)


def method_not_allowed(allow: str = _ALLOW) -> Response:
    """Refuse a method."""
    body = b"405 Method Not Allowed: this is a read-only cache\n"
    headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(body))),
        ("allow", allow),
    ]
    return Response(405, headers, body)


def options(request: Request) -> Response:
    """Answer a preflight (Fetch standard) or a plain OPTIONS."""
    headers = [("allow", _ALLOW), ("access-control-allow-origin", "*")]
    if request.header("access-control-request-method"):
        headers += [
            ("access-control-allow-methods", _ALLOW),
            ("access-control-allow-headers", _ALLOW_HEADERS),
            ("access-control-max-age", "86400"),
        ]
    return Response(204, headers)


def redirect(location: str, query: str) -> Response:
    """Point to another spelling, for this once: installers keep permanent redirects for ever."""
    if query:
        location += f"?{query}"
    headers = [
        ("location", location),
        ("content-length", "0"),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", "*"),
    ]
    return Response(302, headers)
