"""Asks for a document once for all nodes: the one whose turn it is asks the upstream, the others take over.

Rules of this module:
1. A shared copy is taken over with the time at which it was validated: it gets no younger on its way.
2. What the upstream is asked conditionally with is the youngest copy that there is, here or shared.
3. Clients do not wait until what came is published: that goes on behind the answer.
4. A node that cannot learn whose turn it is, or waits for too long, asks by itself and publishes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from cheesebox.cache import envelope, freshness
from cheesebox.cache.copies import StoredCopy
from cheesebox.cache.exchange import Brought, Confirmed, Received
from cheesebox.commons.commons import PATIENCE
from cheesebox.commons.names import object_name
from cheesebox.engines import Absent, Granted, Known, Taken
from cheesebox.errors import EngineError, NotFound, ObjectMissing, StoreError, UpstreamError

if TYPE_CHECKING:
    from cheesebox.cache.copies import Document
    from cheesebox.cache.exchange import Exchange, Outcome
    from cheesebox.cache.shelf import Shelf
    from cheesebox.commons.commons import Commons
    from cheesebox.commons.tenure import Tenure
    from cheesebox.engines import Record
    from cheesebox.ports import Entry

log = logging.getLogger(__name__)

_ATTEMPTS = 3


class SharedExchange:
    """Asks with the others. ``inner`` asks the upstream."""

    def __init__(
        self, inner: Exchange, commons: Commons, shelf: Shelf, *, patience: float = PATIENCE
    ) -> None:
        self._inner = inner
        self._commons = commons
        self._shelf = shelf
        self._clock = shelf.clock
        self._patience = patience

    async def ask(self, document: Document, copy: StoredCopy | None, *, refresh: bool = False) -> Outcome:
        """Give what another node has, or ask the upstream for all."""
        max_age = document.policy.refresh_min_age if refresh else document.policy.fresh_for
        for _ in range(_ATTEMPTS):
            claim = await self._commons.turn(document.key, max_age, self._patience)
            match claim:
                case Absent() if refresh:  # nobody can tell how long ago that was
                    return await self._ask_alone(document, copy, None)
                case Absent():
                    raise NotFound(f"{document.url}: not found", remembered=True)
                case Known(record) if self._may_take(document, copy, record):
                    if (brought := await self._bring(document, copy, record)) is not None:
                        return brought
                case Known():
                    max_age = 0.0  # it is as good as none: ask
                case Granted():
                    return await self._ask_for_all(document, copy, claim)
                case Taken(_, record):
                    return await self._ask_alone(document, copy, record)
                case None:
                    break
        return await self._ask_alone(document, copy, None)

    def _may_take(self, document: Document, copy: StoredCopy | None, record: Record) -> bool:
        """Tell whether a shared copy is of this upstream, and not older by its serial than what is here."""
        theirs = record.entry
        if theirs.origin not in document.urls:
            return False
        if copy is None or copy.entry.origin != theirs.origin:
            return True
        return not freshness.is_regression(copy.facts, theirs.serial, self._clock(), document.policy)

    async def _ask_alone(self, document: Document, copy: StoredCopy | None, record: Record | None) -> Outcome:
        self._commons.count("alone")
        younger = await self._younger(document, copy, record)
        return await self._ask_with(document, copy, younger)

    async def _ask_for_all(self, document: Document, copy: StoredCopy | None, granted: Granted) -> Outcome:
        tenure = self._commons.hold(granted)
        try:
            younger = await self._younger(document, copy, granted.record)
            outcome = await self._ask_with(document, copy, younger)
        except NotFound:
            await tenure.publish_absence(document.policy.negative_for)
            raise
        except BaseException:
            tenure.give_back()
            raise
        self._commons.later(self._publish(tenure, copy, outcome), f"publish {document.key}")
        return outcome

    async def _ask_with(
        self, document: Document, copy: StoredCopy | None, younger: StoredCopy | None
    ) -> Outcome:
        """Ask with the younger copy, which is not this node's yet: what it becomes is brought."""
        try:
            outcome = await self._inner.ask(document, younger or copy)
        except UpstreamError as error:
            if younger is None or not freshness.is_usable(younger.facts, self._clock(), document.policy):
                raise
            return Brought(younger.entry, younger.body, error)
        if younger is not None and isinstance(outcome, Confirmed):
            return Brought(outcome.entry, younger.body)
        return outcome

    # ── what others have ────────────────────────────────────────────────────────────────────────

    async def _bring(self, document: Document, copy: StoredCopy | None, record: Record) -> Outcome | None:
        """Take a shared copy over; None if its body cannot be had."""
        theirs = record.entry
        if copy is not None and _is_same(copy, record):
            ours = copy.entry
            return Confirmed(replace(theirs, size=ours.size, hits=ours.hits, last_used=ours.last_used))
        body = await self._read(record)
        if body is None:
            return None
        log.debug("%s comes from another node", document.key)
        self._commons.count("brought")
        return Brought(replace(theirs, last_used=self._clock()), body)

    async def _younger(
        self, document: Document, copy: StoredCopy | None, record: Record | None
    ) -> StoredCopy | None:
        """Give the shared copy if it is younger than the one that is here."""
        if record is None or not self._may_take(document, copy, record):
            return None
        is_older = copy is not None and record.entry.validated_at <= copy.entry.validated_at
        if is_older or (copy is not None and _is_same(copy, record)):
            return None
        body = await self._read(record)
        return None if body is None else StoredCopy(replace(record.entry, last_used=self._clock()), body)

    async def _read(self, record: Record) -> bytes | None:
        try:
            body = b"".join([piece async for piece in self._commons.read(record)])
        except ObjectMissing:
            return None
        except EngineError as error:
            log.info("%s is not brought: %s", record.entry.key, error)
            return None
        if envelope.digest_of(body) == record.entry.digest:
            return body
        await self._commons.disown(record)
        return None

    # ── what this node brings ───────────────────────────────────────────────────────────────────

    async def _publish(self, tenure: Tenure, copy: StoredCopy | None, outcome: Outcome) -> None:
        """Put the body where all find it, then tell; a standing object of the same bytes goes on to do."""
        try:
            match outcome:
                case Received(entry, body):
                    await self._publish_body(tenure, entry, body)
                case Brought(trouble=None, entry=entry, body=body):
                    await self._publish_body(tenure, entry, body)
                case Confirmed(entry) if copy is not None:
                    await self._publish_body(tenure, entry, copy.body or await self._stored_body(entry))
        except (EngineError, StoreError) as error:
            log.info("%s is not shared: %s", tenure.lease.key, error)
        finally:
            tenure.give_back()

    async def _stored_body(self, entry: Entry) -> bytes:
        """Give the body of a bulk document, which is on disk only; empty if it is there no more."""
        stored = await self._shelf.read_page(entry.key)
        return stored[1] if stored is not None and stored[0].digest == entry.digest else b""

    async def _publish_body(self, tenure: Tenure, entry: Entry, body: bytes) -> None:
        standing = tenure.record
        if standing is not None and standing.entry.digest == entry.digest:
            await tenure.publish(replace(entry, size=standing.entry.size), standing.name)
            return
        name = object_name(entry.key, entry.digest, tenure.lease.token)
        if name is None or (entry.size and not body):
            return
        await self._commons.put(name, body)
        await tenure.publish(replace(entry, size=len(body)), name)


def _is_same(copy: StoredCopy, record: Record) -> bool:
    ours, theirs = copy.entry, record.entry
    return (ours.digest, ours.content_type, ours.location) == (
        theirs.digest,
        theirs.content_type,
        theirs.location,
    )
