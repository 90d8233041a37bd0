"""A cached document: what to ask for, the copy in memory, how long an answer made of it holds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cheesebox.cache import freshness
from cheesebox.cache.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from cheesebox.cache.freshness import Policy, Verdict
    from cheesebox.cache.mirrors import Mirrored
    from cheesebox.cache.sources import Held
    from cheesebox.ports import Clock, Entry, Key, Kind
    from cheesebox.simple.model import ProjectPage

GONE = frozenset({404, 410})
"""Statuses by which every upstream says that there is no such document."""


@dataclass(frozen=True, slots=True)
class Document:
    """What to ask upstream for, and where to keep it.

    ``check`` gets the body, its content type and the URL that answered, and raises `UpstreamBroken`
    if it is not what it should be; it runs in a thread.
    """

    key: Key
    kind: Kind
    url: str
    accept: str
    policy: Policy
    check: Callable[[bytes, str, str], None]
    is_bulk: bool = False
    """A bulk document's body stays on disk: ``StoredCopy.body`` is empty unless the disk took none."""
    mirrored: Mirrored | None = None
    """The same document at each mirror of its index, when it has more than one."""
    missing: frozenset[int] = GONE
    """Statuses that mean that there is no such document."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Everywhere that a copy may be from."""
        return (self.url,) if self.mirrored is None else self.mirrored.urls


@dataclass(slots=True, eq=False, weakref_slot=True)
class Standing:
    """What is known of a copy, apart from its body: what was made of it may outlive it in memory.

    There is one valid standing of a document at a time; ``superseded`` marks one that is history.
    """

    entry: Entry
    superseded: bool = False
    is_foreign: bool = False
    """Whether it came from another upstream than the one that is set now."""
    head: ProjectPage | None = None
    """The page without its files, once someone has read it: asked for with each file of the project."""


class StoredCopy:
    """A document in memory. ``derived`` holds what was made of its body; it goes with it.

    There is one living copy of a document at a time.
    """

    __slots__ = ("__weakref__", "body", "derived", "standing", "weight")

    def __init__(self, entry: Entry, body: bytes) -> None:
        self.standing = Standing(entry)
        self.body = body
        self.derived: dict[Hashable, Any] = {}
        self.weight = len(body)

    @property
    def entry(self) -> Entry:
        """What the catalogue knows of it."""
        return self.standing.entry

    @property
    def is_foreign(self) -> bool:
        """Whether it came from another upstream than the one that is set now."""
        return self.standing.is_foreign

    @property
    def facts(self) -> freshness.Copy:
        """Give what decisions need."""
        e = self.entry
        return freshness.Copy(e.validated_at, e.fetched_at, e.serial, bool(e.etag), self.is_foreign)


@dataclass(slots=True)
class Lease:
    """How long a copy may go on to be served without asking `Documents`.

    It is asked with each request that the hot lane answers, so the end of the freshness lifetime is
    kept for as long as the entry stays the same.
    """

    standing: Standing
    policy: Policy
    clock: Clock
    until: float = math.inf
    """When what was made of the copy changes, though the copy does not; seconds since the epoch."""

    _entry: Entry | None = field(default=None, init=False, compare=False)
    _ends: float = field(default=0.0, init=False, compare=False)

    def remaining(self) -> int | None:
        """Whole seconds left, or None when `Documents` must be asked."""
        standing, now = self.standing, self.clock()
        entry = standing.entry
        if entry is not self._entry:
            self._entry = entry
            self._ends = min(freshness.fresh_until(entry.validated_at, self.policy), self.until)
        left = self._ends - now
        if left <= 0 or now < entry.validated_at or standing.superseded or standing.is_foreign:
            return None
        most = self.policy.advertised_max
        return int(left if left < most else most)  # noqa: FURB136 - a third of the time of calling min()

    def terms(self) -> Terms:
        """Tell what it stands on."""
        entry = self.standing.entry
        ends = min(freshness.fresh_until(entry.validated_at, self.policy), self.until)
        return Terms((entry.key,), ends, self.policy.advertised_max)


@dataclass(frozen=True, slots=True)
class Answered:
    """A copy to serve and how it came to be served."""

    copy: StoredCopy
    verdict: Verdict
    max_age: int
    lease: Held
    collapsed: bool = False

    def ending(self, until: float) -> Answered:
        """Give the same answer for something that changes at a time (seconds since the epoch)."""
        lease = replace(self.lease, until=until) if isinstance(self.lease, Lease) else self.lease
        return replace(self, lease=lease, max_age=min(self.max_age, lease.remaining() or 0))
