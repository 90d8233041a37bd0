"""Which requests the hot lane may answer, and what it goes by. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.web.conditional import matches_none

if TYPE_CHECKING:
    from collections.abc import Iterable
    from weakref import ref

    from cheesebox.web.hot import Negotiated, ReadyAnswer

_METHODS = {b"GET": "GET", b"HEAD": "HEAD"}
_USUAL = frozenset({b"host", b"user-agent", b"connection"})
_ONCE = frozenset({b"accept", b"accept-encoding", b"if-none-match", b"authorization"})
_UNUSUAL = _ONCE | frozenset(
    {
        b"range",
        b"if-range",
        b"if-match",
        b"if-unmodified-since",
        b"content-length",
        b"transfer-encoding",
        b"expect",
        b"upgrade",
    }
)


@dataclass(slots=True, eq=False)
class Asked:
    """A request that the lane may answer. ``ready`` is what answered it the last time."""

    target: bytes
    negotiated: Negotiated
    if_none_match: bytes | None
    method: str
    path: str
    authorization: bytes | None = None
    ready: ref[ReadyAnswer] | None = None

    def is_answered_by(self, etag: bytes) -> bool:
        """Tell whether the client has the body with this entity tag already (304)."""
        known = self.if_none_match
        return known is not None and (
            known == etag or matches_none(known.decode("latin-1"), etag.decode("latin-1"))
        )


def read(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Asked | None:
    """Read a request head; None if anything about it is unusual. Header names are in lower case."""
    if method not in _METHODS:
        return None
    once: dict[bytes, bytes] = {}
    has_date = False
    for name, value in headers:
        if name in _USUAL:
            continue
        if name in _ONCE and name not in once:
            once[name] = value
        elif name == b"if-modified-since":
            has_date = True
        elif name in _UNUSUAL or (name == b"cache-control" and b"no-cache" in value.lower()):
            return None
    known = once.get(b"if-none-match")
    if has_date and known is None:
        return None
    path = target.decode("latin-1").partition("?")[0]
    negotiated = once.get(b"accept", b""), once.get(b"accept-encoding", b"")
    return Asked(target, negotiated, known, _METHODS[method], path, once.get(b"authorization"))
