"""Open handles of stored files, kept for the next reader: opening costs a thread, reading does not.

Rules of this module:
1. A handle is shared by its readers and stays open until it is neither kept nor read.
2. Nothing is kept over a removal: a removed file's bytes must be free to go.
3. The size is looked at again for each reader, so that a file that was cut meanwhile is noticed.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cheesebox.ports import Blob, Catalogue, Entry

_KEPT = 64

Identity = tuple[str, str, int, float]
"""Key, digest, size and time of fetching: another body has another one."""


class SharedBlob:
    """A blob with several readers; each closes it once."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._readers = 0
        self._kept = True
        self.size = blob.size

    def attach(self) -> SharedBlob:
        """Count a reader in."""
        self._readers += 1
        return self

    def close(self) -> None:
        """Count a reader out."""
        self._readers -= 1
        self._close_if_unused()

    def let_go(self) -> None:
        """Keep it no longer than its readers do."""
        self._kept = False
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if not self._kept and not self._readers:
            self._blob.close()

    def measure(self) -> int:
        """Give the size as it is now."""
        return self._blob.measure()

    def fileno(self) -> int:
        """Give the open file descriptor."""
        return self._blob.fileno()

    def read(self, offset: int, length: int) -> bytes:
        """Read a slice."""
        return self._blob.read(offset, length)

    def read_cached(self, offset: int, length: int) -> bytes | None:
        """Read a slice if that does not block."""
        return self._blob.read_cached(offset, length)

    def view_cached(self, offset: int, length: int) -> memoryview | None:
        """Map a slice if reading it does not block."""
        return self._blob.view_cached(offset, length)


class Handles:
    """Keeps the handles of the files read last."""

    def __init__(self, catalogue: Catalogue, kept: int = _KEPT) -> None:
        self._catalogue = catalogue
        self._limit = kept
        self._removals = catalogue.removals
        self._blobs: OrderedDict[Identity, SharedBlob] = OrderedDict()

    def find(self, entry: Entry) -> SharedBlob | None:
        """Give the kept handle of this very entry, the reader counted in."""
        if self._removals != self._catalogue.removals:
            self._removals = self._catalogue.removals
            self.clear()
        blob = self._blobs.get(_identity(entry))
        if blob is None:
            return None
        if blob.measure() != entry.size:
            self._blobs.pop(_identity(entry)).let_go()
            return None
        self._blobs.move_to_end(_identity(entry))
        return blob.attach()

    def keep(self, entry: Entry, blob: Blob) -> SharedBlob:
        """Keep a handle just opened, the reader counted in."""
        shared = SharedBlob(blob).attach()
        held = self._blobs.pop(_identity(entry), None)
        if held is not None:
            held.let_go()
        self._blobs[_identity(entry)] = shared
        while len(self._blobs) > self._limit:
            self._blobs.popitem(last=False)[1].let_go()
        return shared

    def clear(self) -> None:
        """Keep nothing."""
        while self._blobs:
            self._blobs.popitem()[1].let_go()


def _identity(entry: Entry) -> Identity:
    return entry.key, entry.digest, entry.size, entry.fetched_at
