"""What the use cases need of the world: small protocols, and the values that cross them.

Adapters translate every foreign exception into `cheesebox.errors` at this border.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NewType, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from cheesebox.simple.negotiation import Coding, Format

Key = NewType("Key", str)
"""Names one stored object: ``<index>/<path below the mount>``; also its path below the cache directory."""


class Kind(enum.StrEnum):
    """What a stored object is."""

    PAGE = "page"
    LIST = "list"
    FILE = "file"
    METADATA = "metadata"
    JSON = "json"
    PROVENANCE = "provenance"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one stored object; times are seconds since the epoch, sizes bytes on disk.

    ``digest`` is ``<algorithm>:<hex>`` of the stored bytes. For pages ``etag`` is the upstream's
    validator, for files it is the one that clients get. ``validated_at`` moves with each successful
    revalidation, ``fetched_at`` only when a whole body came. ``origin`` is the URL that was asked,
    ``location`` the one that answered after redirects: relative links start from there.
    """

    key: Key
    kind: Kind
    size: int
    digest: str
    origin: str
    location: str = ""
    etag: str = ""
    last_modified: str = ""
    content_type: str = ""
    serial: int | None = None
    fetched_at: float = 0.0
    validated_at: float = 0.0
    last_used: float = 0.0
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """The sum of what is stored."""

    size: int
    entries: int


@dataclass(frozen=True, slots=True, order=True)
class Tally:
    """What is counted together: ``outcome`` is a cache status, or how an upstream's answer was."""

    index: str
    kind: str
    outcome: str


class Count(NamedTuple):
    """How many answers, and the bytes of their bodies."""

    answers: int
    bytes: int


@dataclass(frozen=True, slots=True)
class HourCount:
    """What was counted in the hour that begins at ``hour`` (seconds since the epoch)."""

    hour: int
    tally: Tally
    count: Count


@dataclass(frozen=True, slots=True)
class ProjectSum:
    """What is stored of one project, over all indexes; ``files`` counts distribution files."""

    project: str
    files: int
    size: int
    hits: int
    last_used: float
    stored_at: float


@dataclass(frozen=True, slots=True)
class KindSum:
    """What is stored of one index and kind."""

    index: str
    kind: Kind
    entries: int
    size: int


class Order(enum.StrEnum):
    """What projects are ordered by; names upwards, all else downwards."""

    NAME = "name"
    SIZE = "size"
    HITS = "hits"
    USED = "used"
    STORED = "stored"


class Clock(Protocol):
    """Tells the time, in seconds since the epoch."""

    def __call__(self) -> float: ...


class UpstreamAnswer(Protocol):
    """The head of an upstream's answer, and its body as it comes off the wire (no decoding)."""

    @property
    def status(self) -> int: ...
    @property
    def url(self) -> str:
        """The URL that answered, after redirects."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Header fields under lower-case names."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Give the body; raises `UpstreamBroken` or `UpstreamTimeout` when it ends too early."""
        ...


class Upstream(Protocol):
    """Sends one request; raises `UpstreamError` when there is no answer."""

    def request(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[UpstreamAnswer]: ...


class Readable(Protocol):
    """What can be read in slices. Blocks."""

    def read(self, offset: int, length: int) -> bytes: ...


class Part(Protocol):
    """A file that is growing, unseen by lookups until it is admitted. All calls block."""

    @property
    def size(self) -> int:
        """Bytes written so far."""
        ...

    def append(self, chunks: Sequence[bytes]) -> None:
        """Write at the end; raises `StoreFull` or `StoreError`."""
        ...

    def fileno(self) -> int: ...
    def read(self, offset: int, length: int) -> bytes: ...
    def read_cached(self, offset: int, length: int) -> bytes | None:
        """Read without blocking, or None."""
        ...

    def measure(self) -> int:
        """Take over what another process wrote to the handle; gives the size."""
        ...

    def truncate(self) -> None:
        """Forget all bytes written."""
        ...

    def discard(self) -> None:
        """Remove the file's name; idempotent, a no-op once admitted."""
        ...

    def close(self) -> None:
        """Give the file handle back; idempotent."""
        ...


class ListRenderer(Protocol):
    """Writes a representation of the project list outside this process."""

    async def render(self, source: int, target: int, form: Format, coding: Coding) -> str:
        """Read a stored page from one file handle, write to the other, give the entity tag.

        Raises `UnreadablePage` when the page is no list, `StoreError` when it cannot be written.
        """
        ...

    async def merge(self, sources: Sequence[int], target: int, form: Format, coding: Coding) -> str:
        """Do the same with several stored pages that are merged."""
        ...


class Blob(Protocol):
    """An open stored object. Reading goes on to work when it is evicted meanwhile."""

    @property
    def size(self) -> int: ...
    def read(self, offset: int, length: int) -> bytes: ...
    def fileno(self) -> int: ...
    def measure(self) -> int:
        """Look at the size again."""
        ...

    def read_cached(self, offset: int, length: int) -> bytes | None:
        """Read what the page cache holds, without blocking; None when the disk would have to be asked."""
        ...

    def view_cached(self, offset: int, length: int) -> memoryview | None:
        """Map what the page cache holds; None when the disk would have to be asked.

        The view is for system calls only, which fail when the file was cut meanwhile; a program that
        touches it then would be killed.
        """
        ...

    def close(self) -> None: ...


class Store(Protocol):
    """Keeps bodies under their keys. All calls block and raise `StoreError`."""

    def begin(self, key: Key) -> Part: ...
    def admit(self, part: Part, key: Key) -> None:
        """Make the part the object under this key, atomically."""
        ...

    def open(self, key: Key) -> Blob | None: ...
    def remove(self, key: Key) -> None: ...
    def walk(self) -> Iterator[Key]: ...
    def free_space(self) -> int:
        """Bytes that may still be written to the file system."""
        ...


class Catalogue(Protocol):
    """Remembers what is stored. ``get`` and ``touch`` are quick; the others may block on the disk.

    An entry is announced before its body gets its name and confirmed afterwards, and it is doomed
    before its body goes: so a crash in between leaves a row that tells what to look at.
    """

    @property
    def removals(self) -> int:
        """How many times something was removed; who holds copies looks again when it has changed."""
        ...

    @property
    def admissions(self) -> int:
        """How many entries were confirmed since the start."""
        ...

    def get(self, key: Key) -> Entry | None: ...
    def touch(self, key: Key, now: float, hits: int = 1) -> None:
        """Count a use; written in batches."""
        ...

    def announce(self, entry: Entry) -> None: ...
    def confirm(self, key: Key) -> None: ...
    def revalidated(self, entry: Entry) -> None:
        """Replace the facts of a stored entry (same body)."""
        ...

    def doom(self, keys: Sequence[Key]) -> None: ...
    def forget(self, keys: Iterable[Key]) -> None: ...
    def announced(self) -> Sequence[Entry]:
        """Entries that a crash left announced."""
        ...

    def doomed(self) -> Sequence[Entry]:
        """Entries that a crash left doomed."""
        ...

    def oldest(self, limit: int, used_before: float | None = None) -> Sequence[Entry]:
        """Least recently used first, after all touches have been written."""
        ...

    def totals(self) -> Totals: ...
    def entries(self, after: Key | None = None, limit: int = 1000) -> Sequence[Entry]:
        """Page through all entries in the order of their keys."""
        ...

    def fact(self, name: str) -> str | None: ...
    def remember(self, name: str, value: str) -> None: ...
    def flush(self) -> None: ...


class History(Protocol):
    """Counts by the hour, over restarts. All calls block and raise `StoreError`."""

    def add(self, counts: Sequence[HourCount]) -> None: ...
    def since(self, hour: int) -> Sequence[HourCount]:
        """Give all counts from this hour on, in the order of their hours."""
        ...

    def prune(self, before: int) -> None:
        """Remove the hours before."""
        ...


class Holdings(Protocol):
    """Looks at what is stored from all sides. All calls block, some for the time of a full scan."""

    def projects(self, search: str, order: Order, limit: int, offset: int = 0) -> Sequence[ProjectSum]:
        """Give the projects whose name holds ``search``."""
        ...

    def objects(self, project: str) -> Sequence[Entry]:
        """Give all that is stored of a project, in the order of the keys."""
        ...

    def newest(self, limit: int) -> Sequence[Entry]:
        """Give the distribution files that came last."""
        ...

    def largest(self, limit: int) -> Sequence[Entry]:
        """Give the largest distribution files."""
        ...

    def sums(self) -> Sequence[KindSum]: ...
