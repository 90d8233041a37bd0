"""What lies in a directory that is served as it is: a file with its bytes, or a folder with its entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cheesebox.cache import blobs
from cheesebox.cache.freshness import Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.downloads import FileHead
    from cheesebox.ports import Blob


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells one state of a file from another: bytes, nanoseconds since the epoch, inode."""

    size: int
    modified: int
    inode: int


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """One line of a listing. ``name`` is as the file system has it; ``size`` is None for a folder."""

    name: bytes
    size: int | None
    modified: int


@dataclass(frozen=True, slots=True)
class FoundFile:
    """An open file. Who gets it closes the blob."""

    name: bytes
    blob: Blob
    mark: Mark


@dataclass(frozen=True, slots=True)
class FoundFolder:
    """A folder, with its entries if they were asked for."""

    entries: tuple[ListedEntry, ...] = ()


class StaticTree(Protocol):
    """A directory tree. All calls block; names are single components, neither hidden nor ``..``."""

    def find(self, names: tuple[bytes, ...]) -> FoundFile | FoundFolder | None:
        """Open what lies below these names; None where nothing does that may be served.

        Raises `StoreError` where the system fails.
        """
        ...

    def entries(self, names: tuple[bytes, ...]) -> FoundFolder | None:
        """Look at a folder's entries; raises `StoreError`."""
        ...


class StaticFile:
    """A found file, as `FileSlice` takes it."""

    verdict = Verdict.HIT
    collapsed = False

    def __init__(self, found: FoundFile, head: FileHead, blocking: Blocking) -> None:
        self.head = head
        self.blob: Blob | None = found.blob
        self._blob = found.blob
        self._blocking = blocking

    def stream(self, start: int, stop: int | None) -> AsyncGenerator[bytes]:
        """Give the bytes of a slice."""
        return blobs.pieces(self._blob, self._blocking, start, stop)

    def views(self, start: int, stop: int | None) -> AsyncGenerator[bytes | memoryview]:
        """Give the bytes of a slice as views of the page cache, where they are in it."""
        return blobs.views(self._blob, self._blocking, start, stop)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._blob.close()
