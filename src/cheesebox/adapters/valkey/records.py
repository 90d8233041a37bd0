"""Records as the server has them, and the time by which it has them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cheesebox.engines import ObjectName, Record
from cheesebox.errors import EngineError
from cheesebox.ports import Entry, Key, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOLERANCE = 0.5


class Skew:
    """How far the clock of a node is ahead of the server's.

    It is held as long as what is observed agrees with it: so that what is read twice reads the same.
    """

    def __init__(self) -> None:
        self._seconds: float | None = None

    def observe(self, before: float, after: float, server: float) -> None:
        """Note what the node's clock said before and after a call, and the server's in between."""
        least, most = before - server - _TOLERANCE, after - server + _TOLERANCE
        if self._seconds is None or not least <= self._seconds <= most:
            self._seconds = (before + after) / 2 - server

    def local(self, server: float) -> float:
        """Give the time by the node's clock; all times are seconds since the epoch."""
        return server + (self._seconds or 0.0)


class _Facts(msgspec.Struct, array_like=True, frozen=True):
    """What of an entry does not move. Nodes of other versions read it: add at the end, with a default."""

    kind: str
    digest: str
    origin: str
    location: str
    etag: str
    last_modified: str
    content_type: str
    serial: int | None


def arguments_of(record: Record, now: float) -> tuple[str | bytes | int, ...]:
    """Give name, size, age of the validation, age of the body (ms) and facts: what scripts take.

    Ages, since the server's clock is another one. What was "in the future" was a moment ago.
    """
    entry = record.entry
    facts = _Facts(
        entry.kind.value,
        entry.digest,
        entry.origin,
        entry.location,
        entry.etag,
        entry.last_modified,
        entry.content_type,
        entry.serial,
    )
    ages = (max(0, round((now - time) * 1000)) for time in (entry.validated_at, entry.fetched_at))
    return (record.name, entry.size, *ages, msgspec.msgpack.encode(facts))


def record_of(shown: Sequence[Any] | None, skew: Skew) -> Record | None:
    """Read what a script shows of a record; raises `EngineError` when it is none."""
    if shown is None:
        return None
    key, name, size, validated, fetched, packed = shown
    try:
        facts = msgspec.msgpack.decode(packed, type=_Facts)
        kind = Kind(facts.kind)
    except (msgspec.DecodeError, ValueError) as error:
        raise EngineError(f"the register has an unreadable record of {key.decode()}: {error}") from error
    entry = Entry(
        key=Key(key.decode()),
        kind=kind,
        size=size,
        digest=facts.digest,
        origin=facts.origin,
        location=facts.location,
        etag=facts.etag,
        last_modified=facts.last_modified,
        content_type=facts.content_type,
        serial=facts.serial,
        validated_at=skew.local(validated / 1000),
        fetched_at=skew.local(fetched / 1000),
    )
    return Record(entry, ObjectName(name.decode()))
