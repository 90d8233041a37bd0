"""Cached upstream documents: project pages, project list, legacy JSON, provenance.

One machine for all of them: look at the copy, let `freshness.decide`, serve it or join the one
flight that asks upstream. What a document is made of, it does not know.

Rules of this module:
1. A copy in memory is always a copy on disk too, unless the disk took none.
2. Only whole, checked answers replace a copy; 404 and 410 drop it; everything else leaves it.
3. After an await, memory is looked at again before a flight is started: A looks (nothing), B's
   flight lands, A must see what B brought.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from cheesebox.cache import freshness
from cheesebox.cache.connectivity import Connectivity, not_cached
from cheesebox.cache.copies import Answered, Lease, Standing, StoredCopy
from cheesebox.cache.exchange import Brought, Confirmed, Received
from cheesebox.cache.flights import Flights
from cheesebox.cache.freshness import Refresh, Serve, Verdict
from cheesebox.cache.memory import WeightedLru
from cheesebox.cache.sources import Absence
from cheesebox.errors import CheeseboxError, NotFound, StoreError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cheesebox.cache.copies import Document
    from cheesebox.cache.exchange import Exchange, Outcome
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.shelf import Shelf
    from cheesebox.ports import Clock, Entry, Key

log = logging.getLogger(__name__)

_MAX_REMEMBERED = 65536


@dataclass(frozen=True, slots=True)
class _Trouble:
    failures: int
    retry_at: float


class Documents:
    """Gives documents, fresh where it can, stale where it must."""

    def __init__(
        self,
        exchange: Exchange,
        shelf: Shelf,
        tasks: Tasks,
        *,
        memory: int | WeightedLru[Key, StoredCopy],
        connectivity: Connectivity | None = None,
    ) -> None:
        self.connectivity = connectivity or Connectivity()
        self._exchange = exchange
        self._shelf = shelf
        self._clock = shelf.clock
        self._flights: Flights[Answered] = Flights(tasks)
        self._copies: WeightedLru[Key, StoredCopy] = (
            WeightedLru(memory) if isinstance(memory, int) else memory
        )
        self._alive: WeakValueDictionary[Key, StoredCopy] = WeakValueDictionary()
        self._standings: WeakValueDictionary[Key, Standing] = WeakValueDictionary()
        self.arrivals = 0
        """How many copies came into memory; who has found none looks again when it has changed."""
        self._absent: OrderedDict[Key, float] = OrderedDict()
        self._troubles: OrderedDict[Key, _Trouble] = OrderedDict()

    @property
    def clock(self) -> Clock:
        """What tells the time here."""
        return self._clock

    async def get(self, document: Document, *, refresh: bool = False) -> Answered:
        """Answer a request for the document.

        Raises `NotFound` when the upstream says so, `UpstreamError` when there is neither an answer
        nor a copy that may be served.
        """
        self._recall_absence(document, refresh=refresh)
        copy = await self._find(document)
        if self.connectivity.is_offline:
            return self._serve_offline(document, copy)
        now = self._clock()
        decision = freshness.decide(
            copy.facts if copy else None,
            now,
            document.policy,
            refresh=refresh,
            refreshing=document.key in self._flights,
            retry_at=self._retry_at(document.key),
        )
        match decision:
            case Serve(verdict) if copy is not None:
                return self._serve(document, copy, verdict)
            case Refresh(patience) if copy is not None:
                return await self._refresh(document, copy, patience, refresh=refresh)
            case _:
                return await self._fetch(document, copy, refresh=refresh)

    def absence(self, document: Document) -> Absence | None:
        """Give what is remembered of the last 404 for a document, however old."""
        since = self._absent.get(document.key)
        if since is None:
            return None
        return Absence(since, self._retry_at(document.key), document.policy, self._clock)

    async def peek(self, document: Document) -> StoredCopy | None:
        """Give the copy, whatever its age, without asking anyone."""
        return await self._find(document)

    def standing(self, key: Key) -> Standing | None:
        """Give the standing of a document of which something is in memory."""
        return self._standings.get(key)

    def has(self, key: Key) -> bool:
        """Tell whether there is a copy, in memory or on disk."""
        return self._living(key) is not None or self._shelf.entry(key) is not None

    def _recall_absence(self, document: Document, *, refresh: bool) -> None:
        absent_since = self._absent.get(document.key)
        if absent_since is None:
            return
        patience = document.policy.refresh_min_age if refresh else document.policy.negative_for
        if self._clock() - absent_since < patience:
            raise NotFound(f"{document.url}: not found", remembered=True)

    def _serve(self, document: Document, copy: StoredCopy, verdict: Verdict) -> Answered:
        self._shelf.touch(document.key)
        return self._answer(document, copy, verdict)

    def _serve_offline(self, document: Document, copy: StoredCopy | None) -> Answered:
        """Serve the copy, however old; without one the last 404 is the last that is known."""
        if copy is not None:
            is_fresh = freshness.is_fresh(copy.facts, self._clock(), document.policy)
            return self._serve(document, copy, Verdict.HIT if is_fresh else Verdict.STALE)
        if document.key in self._absent:
            raise NotFound(f"{document.url}: not found", remembered=True)
        raise not_cached(document.url)

    def forgive(self) -> None:
        """Forget the failures of the upstream: it is asked at once."""
        self._troubles.clear()

    async def _fetch(self, document: Document, copy: StoredCopy | None, *, refresh: bool) -> Answered:
        joined = document.key in self._flights
        flight = self._flights.join(document.key, lambda: self._ask(document, copy, refresh=refresh))
        answered = await asyncio.shield(flight)
        self._shelf.touch(document.key)
        return self._answer(document, answered.copy, answered.verdict, collapsed=joined)

    async def _refresh(
        self, document: Document, copy: StoredCopy, patience: float, *, refresh: bool
    ) -> Answered:
        joined = document.key in self._flights
        flight = self._flights.join(document.key, lambda: self._ask(document, copy, refresh=refresh))
        done, _ = await asyncio.wait({flight}, timeout=patience)
        if not done:
            return self._serve(document, copy, Verdict.UPDATING)
        try:
            answered = flight.result()
        except NotFound:
            raise
        except CheeseboxError:
            return self._serve(document, copy, Verdict.STALE)
        self._shelf.touch(document.key)
        return self._answer(document, answered.copy, answered.verdict, collapsed=joined)

    def _retry_at(self, key: Key) -> float:
        trouble = self._troubles.get(key)
        return trouble.retry_at if trouble else 0.0

    # ── copies ──────────────────────────────────────────────────────────────────────────────────

    async def _find(self, document: Document) -> StoredCopy | None:
        copy = self._living(document.key)
        if copy is None:
            stored = await self._load(document)
            copy = self._living(document.key)  # rule 3
            if copy is None and stored is not None:
                copy = stored
                self._resume(copy)
                self._remember(copy)
        if copy is not None:
            copy.standing.is_foreign = copy.entry.origin not in document.urls
        return copy

    async def _load(self, document: Document) -> StoredCopy | None:
        try:
            if document.is_bulk:
                entry = await self._shelf.probe(document.key)
                return None if entry is None else StoredCopy(entry, b"")
            stored = await self._shelf.read_page(document.key)
        except StoreError as error:
            log.error("%s cannot be read: %s", document.key, error)
            return None
        return None if stored is None else StoredCopy(*stored)

    def _living(self, key: Key) -> StoredCopy | None:
        """Give the copy in memory, be it held here or only by those who serve from it."""
        return self._copies.get(key) or self._alive.get(key)

    def _resume(self, copy: StoredCopy) -> None:
        """Let a copy that comes back from disk stand where it stood when it went out of memory."""
        standing = self._standings.get(copy.entry.key)
        if standing is not None and standing.entry.digest == copy.entry.digest:
            copy.standing = standing

    def _remember(self, copy: StoredCopy) -> None:
        key = copy.entry.key
        if self._standings.get(key) is not copy.standing:
            self._supersede(key)
        self._alive[key] = copy
        self._standings[key] = copy.standing
        self.arrivals += 1
        self._copies.put(key, copy, copy.weight)

    def _supersede(self, key: Key) -> None:
        self._copies.pop(key)
        self._alive.pop(key, None)
        old = self._standings.pop(key, None)
        if old is not None:
            old.superseded = True
        self._shelf.room.changes.tell((key,))

    def derive(self, copy: StoredCopy, name: Hashable, value: Any, weight: int) -> None:
        """Keep what was made of a copy's body with it; ``weight`` in bytes."""
        copy.derived[name] = value
        self._weigh(copy, weight)

    def underive(self, copy: StoredCopy, name: Hashable, weight: int) -> None:
        """Let go of what `derive` kept."""
        del copy.derived[name]
        self._weigh(copy, -weight)

    def _weigh(self, copy: StoredCopy, more: int) -> None:
        copy.weight += more
        self._copies.reweigh(copy.entry.key, copy, copy.weight)

    def show_anew(self, key: Key) -> None:
        """Let go of the ready answers made of a copy: it is shown in another way now."""
        standing = self._standings.pop(key, None)
        copy = self._living(key)
        if standing is not None:
            standing.superseded = True
        if copy is not None:
            copy.standing = Standing(copy.entry, is_foreign=copy.is_foreign)
            self._standings[key] = copy.standing
        self._shelf.room.changes.tell((key,))

    def drop_from_memory(self, key: Key) -> None:
        """Forget what is in memory of one document: its stored copy is gone."""
        self._supersede(key)
        self._absent.pop(key, None)

    # ── the flight ──────────────────────────────────────────────────────────────────────────────

    async def _ask(self, document: Document, copy: StoredCopy | None, *, refresh: bool) -> Answered:
        try:
            outcome = await self._exchange.ask(document, copy, refresh=refresh)
        except NotFound as error:
            await self._drop(document, remembered=error.remembered)
            raise
        except UpstreamError as error:
            self._note_trouble(document, error)
            raise
        if isinstance(outcome, Brought) and outcome.trouble is not None:
            self._note_trouble(document, outcome.trouble)
        else:
            self._troubles.pop(document.key, None)
        self._absent.pop(document.key, None)
        return await self._settle(document, copy, outcome)

    async def _settle(self, document: Document, copy: StoredCopy | None, outcome: Outcome) -> Answered:
        match outcome:
            case Confirmed(entry) if copy is not None:
                await self._renew(document, copy, entry)
                return self._answer(document, copy, Verdict.REVALIDATED)
            case Received(entry, body):
                kept = await self._keep(document, copy, entry, body)
                return self._answer(document, kept, Verdict.MISS if copy is None else Verdict.EXPIRED)
            case Brought(entry, body, trouble):
                kept = await self._keep(document, copy, entry, body)
                return self._answer(document, kept, self._verdict(document, kept, trouble))
        raise CheeseboxError(f"{document.key}: confirmed, but there is no copy")

    def _verdict(self, document: Document, kept: StoredCopy, trouble: UpstreamError | None) -> Verdict:
        """Tell what it is to serve what another node has fetched."""
        if trouble is not None:
            return Verdict.STALE
        is_fresh = freshness.is_fresh(kept.facts, self._clock(), document.policy)
        return Verdict.HIT if is_fresh else Verdict.UPDATING

    async def _keep(
        self, document: Document, copy: StoredCopy | None, entry: Entry, body: bytes
    ) -> StoredCopy:
        if copy and self._is_same(copy.entry, entry):
            await self._renew(document, copy, replace(entry, size=copy.entry.size, hits=copy.entry.hits))
            return copy
        fresh = await self._store(document, entry, body)
        fresh.standing.is_foreign = entry.origin not in document.urls
        self._remember(fresh)
        return fresh

    async def _renew(self, document: Document, copy: StoredCopy, entry: Entry) -> None:
        if entry.serial != copy.entry.serial:  # clients are told it: what is ready says another one
            self.show_anew(entry.key)
        copy.standing.entry = entry
        try:
            if self._is_stored(entry) or not copy.body:
                await self._shelf.revalidated(entry)
            else:  # evicted meanwhile, or the disk was full
                copy.standing.entry = await self._shelf.write_page(entry, copy.body)
        except StoreError as error:
            log.error("%s: revalidation not written down: %s", document.key, error)

    def _is_same(self, old: Entry, new: Entry) -> bool:
        """Tell whether what is stored, and what was made of it, holds for the new body too."""
        known = (old.digest, old.content_type, old.location)
        return known == (new.digest, new.content_type, new.location) and self._is_stored(old)

    def _is_stored(self, entry: Entry) -> bool:
        try:
            stored = self._shelf.entry(entry.key)
        except StoreError:
            return False
        return stored is not None and stored.digest == entry.digest

    async def _store(self, document: Document, entry: Entry, body: bytes) -> StoredCopy:
        try:
            entry = await self._shelf.write_page(entry, body)
        except StoreError as error:
            log.error("%s is kept in memory only: %s", entry.key, error)
            return StoredCopy(entry, body)
        return StoredCopy(entry, b"" if document.is_bulk else body)

    def _answer(
        self, document: Document, copy: StoredCopy, verdict: Verdict, *, collapsed: bool = False
    ) -> Answered:
        """Answer under the policy of who asks: who started the flight may have another one."""
        lease = Lease(copy.standing, document.policy, self._clock)
        return Answered(copy, verdict, lease.remaining() or 0, lease, collapsed)

    async def _drop(self, document: Document, *, remembered: bool) -> None:
        self._supersede(document.key)
        policy = document.policy
        # What somebody else remembers may be about to end: it is held for a moment, then asked about again.
        age = max(0.0, policy.negative_for - policy.refresh_min_age) if remembered else 0.0
        self._absent[document.key] = self._clock() - age
        _bound(self._absent)
        try:
            if self._shelf.entry(document.key) is not None:
                log.info("dropped %s: the upstream has it no more", document.key)
                await self._shelf.forget(document.key)
        except StoreError as error:
            log.error("%s is not removed: %s", document.key, error)

    def _note_trouble(self, document: Document, error: UpstreamError) -> None:
        failures = self._troubles.get(document.key, _Trouble(0, 0.0)).failures + 1
        wait = freshness.back_off(failures, document.policy)
        self._troubles[document.key] = _Trouble(failures, self._clock() + wait)
        _bound(self._troubles)
        log.warning("%s: %s; asked again after %.0f s", document.key, error, wait)

    def statistics(self) -> DocumentStatistics:
        """Give what is in memory and in flight now."""
        return DocumentStatistics(
            len(self._copies), self._copies.held, len(self._flights), len(self._troubles)
        )


@dataclass(frozen=True, slots=True)
class DocumentStatistics:
    """Counts of copies in memory, their bytes, flights under way, documents in back-off."""

    copies: int
    bytes: int
    flights: int
    troubled: int


def _bound(memory: OrderedDict[Key, Any]) -> None:
    while len(memory) > _MAX_REMEMBERED:
        memory.popitem(last=False)
