"""One node or several, and what each request makes of them.

What is decided, the product decides: `cheesebox.cache.freshness` whether a page may be served and whether
its validator may be sent, `cheesebox.cache.eviction` what goes. What is here is the order of steps: look
locally; ask the register; read the storage, or the upstream and tell the others (`cheesebox.engines`).

A fetch counts as done at once for the node itself; others find it under way for as long as it takes.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.simulation.projects import Item, Project, What
from bench.simulation.tally import Tally, upload_requests
from bench.simulation.tiers import LocalTier, SharedTier
from cheesebox.cache.freshness import Copy, Policy, Serve, decide, fresh_until, is_fresh, may_revalidate
from cheesebox.commons.hours import hour_of

RENEWED_EVERY = 3.0
CONFIRMATION = 400
"""Bytes of an answer without a body, about."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What operators set, and how fast the upstream is (seconds, bytes/s of one download).

    ``alone``: nodes have nothing in common. ``looks_up``: whether metadata is asked for by itself, so that
    the page that tells of it has to be looked up; installers have just asked for the page.
    """

    nodes: int = 1
    max_size: int = 100 * 10**9
    shared_max_size: int = 2 * 10**12
    policy: Policy = field(default_factory=Policy)
    alone: bool = False
    looks_up: bool = False
    upstream_latency: float = 0.05
    upstream_rate: float = 30e6

    @property
    def shares(self) -> bool:
        """Tell whether there is anybody to share with."""
        return self.nodes > 1 and not self.alone


class Body(NamedTuple):
    """What is known of a body: when it was fetched and validated, and which version of its name it is."""

    copy: Copy
    version: int


class Fetching(NamedTuple):
    """Who fetches, until when."""

    node: int
    until: float


class Way(enum.Enum):
    """How a local miss was answered."""

    RECORD = enum.auto()
    STORAGE = enum.auto()
    PEER = enum.auto()
    UPSTREAM = enum.auto()


class Cluster:
    """The nodes with what they share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tally = Tally()
        self.nodes: list[LocalTier[Body]] = [LocalTier(settings.max_size) for _ in range(settings.nodes)]
        self.shared: SharedTier[Body] = SharedTier(settings.shared_max_size)
        self._fetching: dict[str, Fetching] = {}
        self._touched: list[dict[str, int]] = [{} for _ in range(settings.nodes)]
        self._seen: set[str] = set()

    def ask(self, at: float, node: int, project: Project, what: What, slot: int) -> float:
        """Answer a request; gives until when this node would answer the same out of its own."""
        item = project.item(what, slot, at)
        self.count(item, project.weight)
        held = self._held(at, node, item, project.weight)
        if held is not None:
            self._count_hit(item, project.weight)
            return self._quiet_until(held, item)
        if what is What.METADATA and self.settings.looks_up:  # its digest is on the page
            self._look_up(at, node, project.item(What.PAGE, 0, at), project.weight)
        return self._look_up(at, node, item, project.weight)

    def _held(self, at: float, node: int, item: Item, weight: int) -> Body | None:
        """Give what may be served at once."""
        held = self.nodes[node].use(item.key)
        if self.settings.shares:
            self._touch(at, node, item.key, weight)
        return held if held is not None and self._may_serve(held, item, at) else None

    def _look_up(self, at: float, node: int, item: Item, weight: int) -> float:
        """Have it at the node, wherever from; gives until when it need not be looked up again."""
        held = self._held(at, node, item, weight)
        if held is not None:
            return self._quiet_until(held, item)
        body, way = self._obtain(at, node, item, weight, self.nodes[node].use(item.key))
        if way is Way.RECORD:
            self.nodes[node].replace(item.key, body)
        else:
            self.nodes[node].admit(item.key, item.stored * weight, body)
            self.tally.stored_locally += item.stored * weight
        return self._quiet_until(body, item)

    def begin_counting(self) -> Tally:
        """Count from nothing; gives what was counted before."""
        before, self.tally = self.tally, Tally()
        return before

    def begin_with(self, node: int, at: float, item: Item, weight: int, body: Body) -> None:
        """Hold from the beginning what was used at a node at a time before; in the order of those times."""
        self.nodes[node].admit(item.key, item.stored * weight, body)
        self._seen.add(item.key)
        if self.settings.shares:
            self._touched[node][item.key] = hour_of(at)
            self.share_from_the_beginning(at, item, weight, body)

    def share_from_the_beginning(self, at: float, item: Item, weight: int, body: Body) -> None:
        """Have the others know from the beginning what was used somewhere at a time before."""
        self._seen.add(item.key)
        self.shared.publish(item.key, item.stored * weight, at, body, weight)

    def count_hits(self, at: float, project: Project, what: What, slot: int, times: int) -> None:
        """Count requests that are known to be hits."""
        item = project.item(what, slot, at)
        self.count(item, project.weight * times)
        self._count_hit(item, project.weight * times)

    def count(self, item: Item, weight: int) -> None:
        """Count requests for an item."""
        tally = self.tally
        match item.what:
            case What.PAGE:
                tally.pages += weight
            case What.METADATA:
                tally.metadata += weight
            case What.FILE:
                tally.files += weight
        tally.sent += item.sent * weight

    def _count_hit(self, item: Item, weight: int) -> None:
        tally = self.tally
        match item.what:
            case What.PAGE:
                tally.page_hits += weight
            case What.METADATA:
                tally.metadata_hits += weight
            case What.FILE:
                tally.file_hits += weight
        tally.hit_bytes += item.sent * weight

    def _may_serve(self, held: Body, item: Item, at: float) -> bool:
        if item.what is not What.PAGE:
            return True
        policy = self.settings.policy
        return isinstance(decide(held.copy, at, policy, refresh=False, refreshing=False, retry_at=0.0), Serve)

    def _quiet_until(self, body: Body, item: Item) -> float:
        if item.what is What.PAGE:
            return fresh_until(body.copy.validated_at, self.settings.policy)
        return math.inf

    def _touch(self, at: float, node: int, key: str, weight: int) -> None:
        hour, touched = hour_of(at), self._touched[node]
        if touched.get(key) != hour:
            touched[key] = hour
            self.tally.touches += weight
            self.shared.touch(key, at)

    # ── local misses ────────────────────────────────────────────────────────────────────────────

    def _obtain(self, at: float, node: int, item: Item, weight: int, held: Body | None) -> tuple[Body, Way]:
        if not self.settings.shares:
            return self._fetch(at, item, weight, held)
        self.tally.claims += weight
        known = self.shared.find(item.key)
        if known is not None and self._is_known(known, item, at):
            return known, self._take_over(at, node, item, weight, held, known)
        body, way = self._fetch(at, item, weight, known)
        self._publish(at, node, item, weight, body)
        if way is Way.RECORD and (held is None or held.version != body.version):
            self._read_storage(item, weight)
            return body, Way.STORAGE
        return body, way

    def _is_known(self, known: Body, item: Item, at: float) -> bool:
        return item.what is not What.PAGE or is_fresh(known.copy, at, self.settings.policy)

    def _take_over(
        self, at: float, node: int, item: Item, weight: int, held: Body | None, known: Body
    ) -> Way:
        """Go on with what another node has found out, or is finding out."""
        fetching = self._fetching.get(item.key)
        if fetching is not None and fetching.node != node and at < fetching.until:
            self.tally.from_peer += weight
            return Way.PEER
        if held is not None and held.version == known.version:
            self.tally.from_record += weight
            return Way.RECORD
        self.tally.from_storage += weight
        self._read_storage(item, weight)
        return Way.STORAGE

    def _read_storage(self, item: Item, weight: int) -> None:
        self.tally.storage_gets += weight
        self.tally.storage_get_bytes += item.stored * weight

    def _fetch(self, at: float, item: Item, weight: int, held: Body | None) -> tuple[Body, Way]:
        """Ask the upstream; what is held already is confirmed if it still stands."""
        tally, policy = self.tally, self.settings.policy
        if (
            held is not None
            and held.version == item.version
            and item.what is What.PAGE
            and may_revalidate(held.copy, at, policy)
        ):
            tally.upstream_confirmed += weight
            tally.upstream_bytes += CONFIRMATION * weight
            copy = Copy(validated_at=at, fetched_at=held.copy.fetched_at, has_validator=True)
            return Body(copy, held.version), Way.RECORD
        tally.upstream_whole += weight
        tally.upstream_bytes += item.stored * weight
        tally.refetched += weight * (item.key in self._seen)
        self._seen.add(item.key)
        return Body(Copy(at, at, has_validator=True), item.version), Way.UPSTREAM

    def _publish(self, at: float, node: int, item: Item, weight: int, body: Body) -> None:
        tally = self.tally
        tally.publications += weight
        took = self.settings.upstream_latency
        if body.copy.fetched_at == at:
            took += item.stored / self.settings.upstream_rate
            tally.storage_puts += upload_requests(item.stored) * weight
            tally.storage_put_bytes += item.stored * weight
        tally.renewals += int(took // RENEWED_EVERY) * weight
        self._fetching[item.key] = Fetching(node, at + took)
        self.shared.publish(item.key, item.stored * weight, at, body, weight)
