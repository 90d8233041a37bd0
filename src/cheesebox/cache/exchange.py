"""One exchange with an upstream about a document: ask, check what comes, tell what it means for the copy.

Rules of this module:
1. Only whole, checked bodies are given out; whatever else comes is an error, and the copy stays.
2. A copy of another mirror of the same index is as good as any, but its validator and its serial
   mean something to that mirror alone: they are neither sent to another nor compared with another's.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from cheesebox.cache import envelope, freshness
from cheesebox.cache.bodies import read_body
from cheesebox.cache.transfer import number
from cheesebox.errors import NotFound, UpstreamStatus
from cheesebox.ports import Entry

if TYPE_CHECKING:
    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.copies import Document, StoredCopy
    from cheesebox.errors import UpstreamError
    from cheesebox.ports import Clock, Upstream, UpstreamAnswer

log = logging.getLogger(__name__)

_OK = 200
_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The copy still stands; ``entry`` is what is known of it now."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Received:
    """A whole body came; ``entry.size`` is its length."""

    entry: Entry
    body: bytes


@dataclass(frozen=True, slots=True)
class Brought:
    """Somebody else has asked, at ``entry.validated_at``; ``body`` is as it was received then.

    ``trouble``: the upstream fails now, and this is served in its place.
    """

    entry: Entry
    body: bytes
    trouble: UpstreamError | None = None


Outcome = Confirmed | Received | Brought


class Exchange(Protocol):
    """Asks for a document; ``copy`` is what is there, however old.

    ``refresh``: a client wants to have what is validated now, not what was validated a while ago.
    Raises `NotFound` when there is no such document (``remembered``: as somebody else has found out),
    `UpstreamError` when nobody gives an answer.
    """

    async def ask(self, document: Document, copy: StoredCopy | None, *, refresh: bool = False) -> Outcome:
        """Ask once."""
        ...


class UpstreamExchange:
    """Asks the upstream, or its mirrors in turn. ``work`` runs the reading of bodies, in threads."""

    def __init__(self, upstream: Upstream, work: Blocking, clock: Clock, max_page_size: int) -> None:
        self._upstream = upstream
        self._work = work
        self._clock = clock
        self._max_page_size = max_page_size

    async def ask(
        self,
        document: Document,
        copy: StoredCopy | None,
        *,
        refresh: bool = False,  # noqa: ARG002 - the upstream is asked in any case
    ) -> Outcome:
        """Ask, conditionally where the copy has a validator that may be sent."""
        if document.mirrored is None:
            return await self._ask_at(document, copy, document.url)
        return await document.mirrored.ask(
            lambda url: self._ask_at(document, copy, url), probing=copy is not None
        )

    async def _ask_at(self, document: Document, copy: StoredCopy | None, url: str) -> Outcome:
        conditional = (
            copy is not None
            and copy.entry.origin == url  # rule 2
            and freshness.may_revalidate(copy.facts, self._clock(), document.policy)
        )
        return await self._exchange(document, copy, url, conditional=conditional)

    async def _exchange(
        self, document: Document, copy: StoredCopy | None, url: str, *, conditional: bool
    ) -> Outcome:
        headers = {"Accept": document.accept, "Accept-Encoding": "gzip"}
        if conditional and copy is not None:
            headers["If-None-Match"] = copy.entry.etag
        async with self._upstream.request("GET", url, headers) as answer:
            serial = number(answer.headers.get("x-pypi-last-serial", ""))
            if answer.status == _NOT_MODIFIED and copy is not None and conditional:
                if not freshness.is_outdated_confirmation(copy.facts, serial):
                    return Confirmed(replace(copy.entry, validated_at=self._clock()))
                log.warning("refetch %s: confirmed with a newer serial %s", document.key, serial)
            elif answer.status in document.missing:
                raise NotFound(f"{url}: not found")
            elif answer.status != _OK:
                raise UpstreamStatus(f"{url} answered {answer.status}", upstream_status=answer.status)
            else:
                self._refuse_older(document, copy, url, serial)
                return await self._receive(document, url, answer, serial)
        return await self._exchange(document, copy, url, conditional=False)

    def _refuse_older(
        self, document: Document, copy: StoredCopy | None, url: str, serial: int | None
    ) -> None:
        if copy is None or copy.entry.origin != url:  # rule 2
            return
        if freshness.is_regression(copy.facts, serial, self._clock(), document.policy):
            raise UpstreamStatus(
                f"{url}: serial {serial} is older than {copy.entry.serial}", upstream_status=_OK
            )

    async def _receive(
        self, document: Document, url: str, answer: UpstreamAnswer, serial: int | None
    ) -> Received:
        now = self._clock()
        body = await read_body(answer, self._max_page_size, self._work)
        content_type = answer.headers.get("content-type", "")
        await self._work(document.check, body, content_type, answer.url)
        entry = Entry(
            document.key,
            document.kind,
            len(body),
            await self._work(envelope.digest_of, body),
            url,
            location=answer.url,
            etag=answer.headers.get("etag", ""),
            last_modified=answer.headers.get("last-modified", ""),
            content_type=content_type,
            serial=serial,
            fetched_at=now,
            validated_at=now,
            last_used=now,
        )
        return Received(entry, body)
