"""Looks at stored objects and tells whether their bytes are those that were admitted.

Rules of this module:
1. A fault counts only if the entry still stands afterwards: what is evicted or replaced while it is
   being hashed is not damaged.
2. Results come in the order of the entries, and only so many are under way: a million entries take no
   more memory than a hundred.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.cache import digests, envelope
from cheesebox.cache.downloads import matches
from cheesebox.cache.shelf import FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future

    from cheesebox.ports import Blob, Entry, Key, Store


@dataclass(frozen=True, slots=True)
class Finding:
    """A damaged object and what is wrong with it."""

    key: Key
    fault: str


@dataclass(frozen=True, slots=True)
class Checked:
    """An object that was hashed, and what was wrong with it, if anything."""

    entry: Entry
    finding: Finding | None


class Inspector:
    """Hashes objects. May be used by several threads.

    ``current`` gives the entry that stands now; ``advance`` is told the count of bytes whenever some
    were hashed, and may raise to end the work.
    """

    def __init__(
        self, store: Store, current: Callable[[Key], Entry | None], advance: Callable[[int], object]
    ) -> None:
        self._store = store
        self._current = current
        self._advance = advance

    def inspect(self, entry: Entry) -> Finding | None:
        """Hash an object; None when it is right. Blocks; raises `StoreError` when it cannot be read."""
        while (finding := look(self._store, entry, self._advance)) is not None:
            stands = self._current(entry.key)
            if stands is None:
                return None
            if _facts(stands) == _facts(entry):
                return finding
            entry = stands
        return None


def look(store: Store, entry: Entry, advance: Callable[[int], object] = lambda _: None) -> Finding | None:
    """Hash what lies under an entry's key; None when it is right. Blocks; raises `StoreError`."""
    blob = store.open(entry.key)
    if blob is None:
        return Finding(entry.key, "gone from disk")
    try:
        if blob.size != entry.size:
            return Finding(entry.key, f"{blob.size} bytes on disk, {entry.size} expected")
        watched = _Watched(blob, advance)
        return None if _is_right(watched, entry) else Finding(entry.key, f"its digest is not {entry.digest}")
    finally:
        blob.close()


def in_order(
    executor: Executor, inspect: Callable[[Entry], Finding | None], entries: Iterable[Entry], ahead: int
) -> Iterator[Checked]:
    """Inspect with at most ``ahead`` objects under way; raises what ``inspect`` raises."""
    pending: deque[tuple[Entry, Future[Finding | None]]] = deque()
    for entry in entries:
        if len(pending) >= ahead:
            yield _finished(pending)
        pending.append((entry, executor.submit(inspect, entry)))
    while pending:
        yield _finished(pending)


def _finished(pending: deque[tuple[Entry, Future[Finding | None]]]) -> Checked:
    entry, future = pending.popleft()
    return Checked(entry, future.result())


def _facts(entry: Entry) -> tuple[int, str, float]:
    return entry.size, entry.digest, entry.fetched_at


class _Watched:
    """Tells of each read."""

    def __init__(self, blob: Blob, advance: Callable[[int], object]) -> None:
        self.size = blob.size
        self._blob = blob
        self._advance = advance

    def read(self, offset: int, length: int) -> bytes:
        """Read, and tell how much."""
        data = self._blob.read(offset, length)
        self._advance(len(data))
        return data


def _is_right(body: _Watched, entry: Entry) -> bool:
    if entry.kind in FILES:
        return matches(body, body.size, digests.Digest(entry.digest))
    if not entry.digest:
        return True  # made of the project list, and made anew with it
    page = envelope.unpack(body.read(0, body.size))
    return page is not None and page[0].digest == entry.digest
