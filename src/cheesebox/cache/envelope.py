"""A page as it lies on disk: one line of JSON that tells what it is, then the upstream's own body.

The line repeats what the catalogue knows, so that a lost catalogue is rebuilt with its pages, and a
damaged page is noticed. ``tail -n +2`` shows the body.
"""

from __future__ import annotations

import hashlib

import msgspec

from cheesebox.cache import digests
from cheesebox.ports import Entry, Key, Kind


class _Head(msgspec.Struct, frozen=True, omit_defaults=True):
    key: str
    kind: str
    origin: str
    digest: str
    location: str = ""
    etag: str = ""
    last_modified: str = ""
    content_type: str = ""
    serial: int | None = None
    fetched_at: float = 0.0


def digest_of(body: bytes) -> str:
    """Give the digest that the head line carries."""
    return f"{digests.PAGE}:{hashlib.blake2b(body, digest_size=20).hexdigest()}"


def pack(entry: Entry) -> bytes:
    """Write the head line, newline included. ``entry.digest`` is that of the body."""
    head = _Head(
        entry.key,
        entry.kind.value,
        entry.origin,
        entry.digest,
        entry.location,
        entry.etag,
        entry.last_modified,
        entry.content_type,
        entry.serial,
        entry.fetched_at,
    )
    return msgspec.json.encode(head) + b"\n"


def unpack(data: bytes) -> tuple[Entry, bytes] | None:
    """Read a page from disk; None when it is damaged or no page."""
    line, newline, body = data.partition(b"\n")
    try:
        head = msgspec.json.decode(line, type=_Head)
        kind = Kind(head.kind)
    except (msgspec.DecodeError, ValueError):
        return None
    if not newline or digest_of(body) != head.digest:
        return None
    entry = Entry(
        Key(head.key),
        kind,
        len(data),
        head.digest,
        head.origin,
        location=head.location,
        etag=head.etag,
        last_modified=head.last_modified,
        content_type=head.content_type,
        serial=head.serial,
        fetched_at=head.fetched_at,
        validated_at=head.fetched_at,
        last_used=head.fetched_at,
    )
    return entry, body
