"""Looks at one stored object and tells whether its bytes are those that were admitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.cache import digests, envelope
from cheesebox.cache.downloads import matches
from cheesebox.cache.shelf import FILES

if TYPE_CHECKING:
    from cheesebox.ports import Blob, Entry, Key, Store


@dataclass(frozen=True, slots=True)
class Finding:
    """A damaged object and what is wrong with it."""

    key: Key
    fault: str


def look(store: Store, entry: Entry) -> Finding | None:
    """Hash an object; None when it is right. Blocks; raises `StoreError` when it cannot be read."""
    blob = store.open(entry.key)
    if blob is None:
        return Finding(entry.key, "gone from disk")
    try:
        if blob.size != entry.size:
            return Finding(entry.key, f"{blob.size} bytes on disk, {entry.size} expected")
        return None if _is_right(blob, entry) else Finding(entry.key, f"its digest is not {entry.digest}")
    finally:
        blob.close()


def _is_right(blob: Blob, entry: Entry) -> bool:
    if entry.kind in FILES:
        return matches(blob, blob.size, digests.Digest(entry.digest))
    if not entry.digest:
        return True  # made of the project list, and made anew with it
    page = envelope.unpack(blob.read(0, blob.size))
    return page is not None and page[0].digest == entry.digest
