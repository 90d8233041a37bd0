"""Names of shared objects: ``<key>/<algorithm>-<hex>.<token>``. Pure.

The digest tells what the bytes must be, so that an object whose record was lost can be taken over. The
token is that of the lease under which the object was written: no two nodes ever write under one name,
and removing the object of an old record never removes that of a new one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.cache import digests
from cheesebox.engines import ObjectName, Token
from cheesebox.ports import Key

if TYPE_CHECKING:
    from cheesebox.cache.digests import Digest

_LONGEST = 1000
"""Bytes; S3 takes 1024 for prefix and name together."""

# What every object storage lists as it was written; all else is escaped byte by byte.
_ESCAPED = re.compile(rb"[^A-Za-z0-9._/+-]")
_ESCAPE = re.compile(rb"=([0-9A-F]{2})")
_NAME = re.compile(r"(?P<key>.+)/(?P<algorithm>[a-z0-9-]+)-(?P<hex>[0-9a-f]+)\.(?P<token>[0-9]+)\Z")


@dataclass(frozen=True, slots=True)
class Named:
    """What a name tells."""

    key: Key
    digest: Digest
    token: Token


def object_name(key: Key, digest: str, token: Token) -> ObjectName | None:
    """Name an object; None if the name would be too long for a storage, or could not be read back."""
    escaped = _ESCAPED.sub(lambda found: b"=%02X" % found[0][0], key.encode()).decode()
    algorithm, _, hexadecimal = digest.partition(":")
    name = f"{escaped}/{algorithm}-{hexadecimal}.{token}"
    # What a page calls a digest may be anything; nothing that is verified has such a one.
    return ObjectName(name) if len(name) <= _LONGEST and _NAME.match(name) else None


def read_name(name: ObjectName) -> Named | None:
    """Read a name; None if it is of another kind."""
    found = _NAME.match(name)
    if found is None:
        return None
    key = _ESCAPE.sub(lambda byte: bytes([int(byte[1], 16)]), found["key"].encode())
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return None
    return Named(Key(text), digests.of(found["algorithm"], found["hex"]), Token(int(found["token"])))
