"""What several nodes need of the engines that they share: object storage and a register.

The *object storage* (S3 and its like) keeps bodies under names. A name is used for one body only: it
is written once and never changed, so it does not matter who reads or removes it when. The *register*
(Valkey, Redis) keeps what is known of each body, and who is fetching what. Nothing that is lost in
either is lost for good: all of it can be fetched again.

Rules of the register:
1. A lease lasts for a bounded time and carries a number that is higher than that of every lease before
   it (a fencing token). A record is taken over only from the holder of the last lease of its key.
2. Time is the register's own. Adapters translate what they give and take to the clock of their node,
   so that clocks of nodes may differ.

Adapters translate every foreign exception into `EngineError` at this border, and bound each call in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence
    from contextlib import AbstractAsyncContextManager

    from cheesebox.ports import Entry, Key, Totals

ObjectName = NewType("ObjectName", str)
"""Names one body in the object storage, below its prefix: ``<key>/<entity tag or digest>.<token>``."""

Token = NewType("Token", int)
"""A fencing token: a lease of a key that was given later has a higher one."""


# ── the object storage ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A body as the storage lists it: ``size`` in bytes, ``stored_at`` seconds since the epoch."""

    name: ObjectName
    size: int
    stored_at: float


class Upload(Protocol):
    """A body on its way to the storage, unseen until `finish`."""

    async def write(self, data: bytes) -> None:
        """Take the next bytes; waits while too many are under way. Raises `EngineError`."""
        ...

    async def finish(self) -> None:
        """Make it an object; raises `EngineError`."""
        ...


class Objects(Protocol):
    """Bodies under names."""

    async def put(self, name: ObjectName, body: bytes) -> None:
        """Store a body that is in memory; an object that has the name already stays as it is."""
        ...

    def upload(self, name: ObjectName) -> AbstractAsyncContextManager[Upload]:
        """Store a body that comes piece by piece; leaving without `Upload.finish` removes its parts."""
        ...

    def read(self, name: ObjectName, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Give the bytes of a slice; raises `ObjectMissing` when there is no such object."""
        ...

    async def remove(self, names: Collection[ObjectName]) -> None:
        """Remove objects, those of them that are there."""
        ...

    def walk(self) -> AsyncIterator[StoredObject]:
        """Give all objects, in the order of their names."""
        ...

    async def check(self) -> None:
        """Find out whether the storage answers; raises `EngineError`."""
        ...

    async def close(self) -> None:
        """Let go of connections; idempotent."""
        ...


# ── the register ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Record:
    """What all nodes know of one body.

    ``entry`` is what a node's own catalogue says of it (``entry.size`` is the size of the stored object,
    ``last_used`` and ``hits`` mean nothing here); ``name`` says where the body lies.
    """

    entry: Entry
    name: ObjectName


@dataclass(frozen=True, slots=True)
class Lease:
    """Leave to fetch what a key names, for ``seconds`` from when it was given or renewed."""

    key: Key
    token: Token
    seconds: float


@dataclass(frozen=True, slots=True)
class Known:
    """The body is there, and validated recently enough."""

    record: Record


@dataclass(frozen=True, slots=True)
class Absent:
    """The upstream said a moment ago that there is no such object."""


@dataclass(frozen=True, slots=True)
class Granted:
    """It is this node's turn to ask; ``record`` is what is known already, if anything."""

    lease: Lease
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """Another node is asking; ``holder`` is the URL under which that one is reached, or empty."""

    holder: str
    record: Record | None = None


Claim = Known | Absent | Granted | Taken


@dataclass(frozen=True, slots=True)
class Published:
    """A record came or was renewed, or a lease ended without one: who waits for the key looks again."""

    key: Key


@dataclass(frozen=True, slots=True)
class Removed:
    """Somebody purged these keys: every node lets go of them, on its disk and in memory."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Selected:
    """Somebody purged by a selection, written as text: every node removes what it has of that."""

    selection: str


@dataclass(frozen=True, slots=True)
class Missed:
    """Changes were missed for so long that they cannot be told any more."""


Change = Published | Removed | Selected | Missed


class Register(Protocol):
    """What is known, and who is fetching. Every call raises `EngineError`; none takes longer than seconds."""

    async def find(self, key: Key) -> Record | None: ...
    async def claim(self, key: Key, max_age: float | None = None) -> Claim:
        """Look, and take the lease if there is nothing to be seen; atomically.

        ``max_age``: a record counts as `Known` if it was validated within so many seconds; None: always.
        """
        ...

    async def renew(self, lease: Lease) -> bool:
        """Hold a lease for longer; False when it is lost."""
        ...

    async def publish(self, lease: Lease, record: Record) -> bool:
        """Make a record known and end the lease; False when a later lease was given meanwhile.

        The object of a record that this one takes the place of, or of this one when it is refused,
        becomes garbage.
        """
        ...

    async def publish_absence(self, lease: Lease, seconds: float) -> None:
        """Make known for so long that there is no such object, and end the lease; drops the record."""
        ...

    async def release(self, lease: Lease) -> None:
        """End a lease without a result; a no-op when it is lost."""
        ...

    async def touch(self, keys: Collection[Key]) -> None:
        """Note that these are in use; O(1) for each."""
        ...

    async def disown(self, record: Record) -> None:
        """Drop a record whose object is gone or damaged, if it still stands."""
        ...

    async def purge(self, keys: Collection[Key]) -> None:
        """Remove records and have all nodes hear of it as `Removed`."""
        ...

    async def announce(self, selection: str) -> None:
        """Have all nodes hear of it as `Selected`."""
        ...

    async def evict(self, limit: int, unused_for: float = 0.0) -> Sequence[Record]:
        """Remove up to ``limit`` records, the longest unused first, and give them; O(1) for each.

        ``unused_for``: only those that nobody has used for so many seconds. Use is known to the hour.
        """
        ...

    async def garbage(self, limit: int) -> Sequence[ObjectName]:
        """Give names of objects that nobody will read any more: their grace period is over."""
        ...

    async def swept(self, names: Collection[ObjectName]) -> None:
        """Forget garbage that has been removed from the storage."""
        ...

    async def adopt(self, record: Record) -> bool:
        """Take over a body that was found in the storage, if nothing is known of its key."""
        ...

    async def totals(self) -> Totals: ...
    async def lead(self, role: str, node: str, seconds: float) -> bool:
        """Be the one node that does a kind of work, for so long; renews what this node has."""
        ...

    async def secret(self) -> str:
        """Give what the nodes know each other by: made by the first that asks, the same for all."""
        ...

    async def fact(self, name: str) -> str | None: ...
    async def remember(self, name: str, value: str) -> None: ...
    def changes(self) -> AsyncIterator[Change]:
        """Give what this node and others change from now on; called again, it goes on where it was.

        Raises `EngineError` when the connection is lost.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; idempotent."""
        ...
