"""What the API says, as types: JSON documents are made of them, and the OpenAPI description too.

Times are seconds since the epoch, durations seconds, sizes bytes.
"""

from __future__ import annotations

from msgspec import Struct


class Problem(Struct, frozen=True):
    """Why there is no answer (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str | None = None


class Counted(Struct, frozen=True):
    """Answers of one index, kind and outcome (a cache status; or ``answered``, ``failed`` upstream)."""

    index: str
    kind: str
    outcome: str
    answers: int
    bytes: int


class Hour(Struct, frozen=True):
    """What was counted in one hour, by index, kind and outcome."""

    start: int
    counts: list[Counted]


class Sum(Struct, frozen=True):
    """Sums over answers: from the cache, from upstream, and what was saved.

    ``saved`` is what clients got beyond what was fetched. ``ratio`` is None when nothing was asked.
    """

    hits: int
    misses: int
    stale: int
    sent: int
    fetched: int
    saved: int
    ratio: float | None


class Storage(Struct, frozen=True):
    """What is stored, against the limits; ``max_entries`` 0 is no limit."""

    size: int
    max_size: int
    entries: int
    max_entries: int
    reserved: int
    free: int
    min_free: int
    evicted_entries: int
    evicted_bytes: int


class Ready(Struct, frozen=True):
    """What is held in memory."""

    targets: int
    bytes: int


class Host(Struct, frozen=True):
    """How a host of an upstream fares; ``latency`` is the smoothed time until an answer's head."""

    host: str
    requests: int
    failures: int
    failures_in_a_row: int
    bytes: int
    latency: float
    succeeded_at: float
    failed_at: float
    last_error: str


class Engine(Struct, frozen=True):
    """How an engine that nodes share fares (the register, the object storage).

    ``trouble`` is empty when all is well; ``failures`` are those seen by this node since its start.
    """

    name: str
    trouble: str
    failures: int


class Together(Struct, frozen=True):
    """What this node did together with others since its start.

    ``brought`` from the shared storage; ``led``: fetched for all; ``followed``: read from the node that was
    fetching; ``alone``: fetched for itself, because an engine or another node failed; ``published`` to the
    others, or ``refused`` because that came too late.
    """

    brought: int
    led: int
    followed: int
    alone: int
    published: int
    refused: int


class Keeping(Struct, frozen=True):
    """What this node did to keep the shared storage in order; at any time one node does (``is_leading``).

    ``swept`` objects were needed by nobody any more, ``orphans`` had no record, ``adopted`` got one.
    """

    is_leading: bool
    evicted: int
    evicted_bytes: int
    swept: int
    adopted: int
    orphans: int


class Nodes(Struct, frozen=True):
    """This node as one of several.

    ``url`` is where others reach it. ``size`` (bytes) and ``entries`` of the shared storage are known to
    the node that keeps it, and None elsewhere; ``max_size`` 0 is no limit.
    """

    url: str | None
    engines: list[Engine]
    together: Together
    keeping: Keeping
    max_size: int
    size: int | None
    entries: int | None


class Overview(Struct, frozen=True):
    """The state of the whole cache; ``counts`` are since the start. ``nodes``: None where there is one."""

    version: str
    now: float
    started_at: float
    is_offline: bool
    sum: Sum
    counts: list[Counted]
    storage: Storage
    memory: Ready
    upstreams: list[Host]
    nodes: Nodes | None = None


class HourSum(Struct, frozen=True):
    """The sums of one hour."""

    start: int
    sum: Sum


class IndexSum(Struct, frozen=True):
    """The sums of one index."""

    index: str
    sum: Sum


class HistoryDocument(Struct, frozen=True):
    """The last hours, oldest first, and sums over all of them; hours without answers are left out."""

    since: int
    sum: Sum
    indexes: list[IndexSum]
    sums: list[HourSum]
    hours: list[Hour]


class ProjectRow(Struct, frozen=True):
    """What is stored of one project."""

    project: str
    files: int
    size: int
    hits: int
    last_used: float
    stored_at: float


class Projects(Struct, frozen=True):
    """A part of the projects, and where the next part begins (None: this was the last)."""

    projects: list[ProjectRow]
    next_offset: int | None


class Stored(Struct, frozen=True):
    """One stored object."""

    key: str
    index: str
    kind: str
    filename: str
    version: str | None
    size: int
    digest: str
    stored_at: float
    validated_at: float
    last_used: float
    hits: int


class Project(Struct, frozen=True):
    """All that is stored of one project."""

    project: str
    objects: list[Stored]


class WithheldRow(Struct, frozen=True):
    """A file that upstream lists and the index does not show before ``until`` (None: by rule alone)."""

    filename: str
    reason: str
    until: float | None


class Listing(Struct, frozen=True):
    """What the cached page of one index says of a project; ``files`` and ``versions`` count what it lists.

    ``has_rules`` tells whether the index has rules by which files can be withheld.
    """

    index: str
    status: str
    status_reason: str | None
    stored_at: float
    validated_at: float
    files: int
    versions: int
    has_rules: bool
    withheld: list[WithheldRow]


class Highlights(Struct, frozen=True):
    """The newest and the largest files, and sums by index and kind."""

    newest: list[Stored]
    largest: list[Stored]
    kinds: list[KindRow]


class KindRow(Struct, frozen=True):
    """What is stored of one index and kind."""

    index: str
    kind: str
    entries: int
    size: int


class UnderWay(Struct, frozen=True):
    """A download; ``total`` is None while it is not known."""

    key: str
    received: int
    total: int | None
    readers: int
    resumed: int


class EventRow(Struct, frozen=True):
    """A recent warning, error or stale answer."""

    at: float
    level: str
    text: str


class Activity(Struct, frozen=True):
    """What goes on now, and what went wrong lately."""

    downloads: list[UnderWay]
    events: list[EventRow]


class SettingRow(Struct, frozen=True):
    """One setting in force; secrets are shown as ``***``."""

    index: str | None
    name: str
    value: str
    is_default: bool
    help: str


class SettingsDocument(Struct, frozen=True):
    """All settings in force."""

    settings: list[SettingRow]


class Offline(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the cache is offline: no upstream is asked, pages list what is cached."""

    is_offline: bool


class PurgeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What to remove. ``older_than`` is in seconds since it was stored; ``all`` must be said.

    ``keys`` names objects one by one, and goes with nothing else.
    """

    project: str | None = None
    version: str | None = None
    index: str | None = None
    older_than: float | None = None
    keys: list[str] | None = None
    all: bool = False


class Purged(Struct, frozen=True):
    """What was removed."""

    objects: int
    bytes: int
