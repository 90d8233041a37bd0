"""Header fields of the answers, in one place, so that every way of answering says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cheesebox.cache.downloads import FileHead  # noqa: TC001 - msgspec reads it at run time
from cheesebox.cache.freshness import Verdict
from cheesebox.errors import FileWithheld, NoSuchMoment, Offline, UpstreamStatus
from cheesebox.simple.negotiation import Coding

if TYPE_CHECKING:
    from cheesebox.errors import CheeseboxError

Headers = list[tuple[str, str]]

IMMUTABLE = "max-age=365000000, immutable, public"
OCTETS = "application/octet-stream"

_PAGE_CORS: Headers = [
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "X-PyPI-Last-Serial"),
]
_FILE_CORS: Headers = [
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "Content-Length, Content-Range, Accept-Ranges"),
]
_SERVED = {Verdict.HIT: "hit", Verdict.UPDATING: "hit", Verdict.STALE: "hit"}
_FORWARDED = {
    Verdict.MISS: "fwd=uri-miss; stored",
    Verdict.EXPIRED: "fwd=stale; fwd-status=200; stored",
    Verdict.REVALIDATED: "fwd=stale; fwd-status=304; stored",
    Verdict.BYPASS: "fwd=partial",
}


def cache_status(verdict: Verdict, max_age: int | None = None, *, collapsed: bool = False) -> str:
    """Write a ``Cache-Status`` field (RFC 9211). A stale hit has a negative or zero ``ttl``."""
    served = _SERVED.get(verdict)
    text = f"cheesebox; {served or _FORWARDED[verdict]}"
    if collapsed and not served:
        text += "; collapsed"
    if served and verdict is not Verdict.HIT:
        return f"{text}; ttl=0; detail={verdict.value}"
    return text if max_age is None else f"{text}; ttl={max_age}"


def failed_cache_status(verdict: Verdict, error: CheeseboxError) -> str:
    """Write a ``Cache-Status`` field for an answer that is no object."""
    if verdict is Verdict.HIT:
        return "cheesebox; hit; detail=negative"
    if isinstance(error, FileWithheld | NoSuchMoment):  # nobody was asked
        return "cheesebox; detail=withheld"
    if isinstance(error, Offline):
        return "cheesebox; detail=offline"
    status = error.upstream_status if isinstance(error, UpstreamStatus) else None
    return "cheesebox; fwd=uri-miss" + (f"; fwd-status={status}" if status else "")


def page_head(etag: str, max_age: int, serial: int | None, vary: str) -> Headers:
    """Give the fields that a 200 and its 304 share (RFC 9110 §15.4.5)."""
    headers = [("cache-control", f"max-age={max_age}, public"), ("etag", etag), ("vary", vary), *_PAGE_CORS]
    if serial is not None:
        headers.append(("x-pypi-last-serial", str(serial)))
    return headers


def body_head(content_type: str, coding: Coding, length: int) -> Headers:
    """Give the fields that tell of the body."""
    headers = [("content-type", content_type), ("content-length", str(length))]
    if coding is not Coding.IDENTITY:
        headers.append(("content-encoding", coding.token))
    return headers


def file_body_head(length: int) -> Headers:
    """Give the fields that tell of a file's body, whole or in part."""
    return [("content-type", OCTETS), ("accept-ranges", "bytes"), ("content-length", str(length))]


def file_head(head: FileHead) -> Headers:
    """Give the fields that all answers of a file share: 200, 206, 304, 416."""
    headers = [("cache-control", IMMUTABLE), ("etag", head.etag)]
    if head.last_modified.isascii() and head.last_modified:
        headers.append(("last-modified", head.last_modified))
    return [*headers, *_FILE_CORS, ("x-content-type-options", "nosniff")]


def private(headers: Headers) -> Headers:
    """Give the same fields, but for caches in between: the answer is for its asker alone (RFC 9111 §3.5)."""
    return [(n, v.replace("public", "private") if n == "cache-control" else v) for n, v in headers]


class ReadyPageHead(msgspec.Struct, frozen=True, tag="page"):
    """The head of a document's ready answer; called with the seconds of freshness lifetime that are left.

    With ``full`` it is the head of the 200, else that of its 304.
    """

    etag: str
    serial: int | None
    vary: str
    content_type: str
    coding: Coding
    length: int
    status_header: str
    is_private: bool = False

    def __call__(self, remaining: int, full: bool) -> Headers:  # noqa: FBT001 - a template's signature
        """Give the header fields."""
        fields = page_head(self.etag, remaining, self.serial, self.vary)
        fields += [
            (self.status_header, Verdict.HIT.value),
            ("cache-status", cache_status(Verdict.HIT, remaining)),
        ]
        if full:
            fields += body_head(self.content_type, self.coding, self.length)
        return private(fields) if self.is_private else fields


class ReadyFileHead(msgspec.Struct, frozen=True, tag="file"):
    """The head of a file's ready answer; a file is fresh for ever."""

    file: FileHead
    length: int
    status_header: str
    is_private: bool = False

    def __call__(self, remaining: int, full: bool) -> Headers:  # noqa: ARG002, FBT001 - a template's signature
        """Give the header fields."""
        fields = file_head(self.file)
        fields += [(self.status_header, Verdict.HIT.value), ("cache-status", cache_status(Verdict.HIT))]
        if full:
            fields += file_body_head(self.length)
        return private(fields) if self.is_private else fields


ReadyHead = ReadyPageHead | ReadyFileHead
"""What the head of a ready answer is made of: a value, which may be told to another process."""
