"""The project list: tens of megabytes, so it is rendered outside this process and lies on disk.

The upstream's list is kept as a bulk document. Each representation is made of it once, by the
`ListRenderer` (a process of its own: 800,000 names would hold the interpreter for seconds), and kept
as a stored object whose ``origin`` is the digest of the list that it was made of.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cheesebox.cache import envelope
from cheesebox.cache.copies import GONE, Document
from cheesebox.cache.files import StoredFile
from cheesebox.cache.flights import Flights
from cheesebox.cache.pages import UPSTREAM_ACCEPT
from cheesebox.cache.representations import represent
from cheesebox.errors import StoreError, UnreadablePage
from cheesebox.ports import Entry, Key, Kind
from cheesebox.simple.merging import merge_lists
from cheesebox.simple.negotiation import Coding, Format
from cheesebox.simple.reading import read_project_list
from cheesebox.simple.write_html import write_list_html
from cheesebox.simple.write_json import write_list_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cheesebox.cache.copies import Answered, StoredCopy
    from cheesebox.cache.documents import Documents
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.index import Index
    from cheesebox.cache.representations import Representation
    from cheesebox.cache.shelf import Shelf
    from cheesebox.errors import CheeseboxError
    from cheesebox.ports import Blob, ListRenderer

log = logging.getLogger(__name__)

_ATTEMPTS = 3
_NO_LIST = GONE | {403, 405}
"""Indexes that have pages but no list answer so: it is not their trouble, there is no list."""
_LEADING = b"\xef\xbb\xbf \t\r\n"
_ROOM_FACTOR = 2
"""Room for a representation, as a multiple of the list's own size: HTML from JSON is the largest."""


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """An open representation of the list; who gets it closes ``file``."""

    file: StoredFile
    content_type: str
    coding: Coding
    answered: Answered


class Handle(Protocol):
    """An open file that has a stored page in it."""

    def fileno(self) -> int:
        """Give its number."""
        ...

    def close(self) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One index's own list of projects; ``digest`` is that of its body. Who opens it closes it."""

    answered: Answered
    digest: str
    open: Callable[[], Awaitable[Handle]]


class _Lost(StoreError):
    """What is to be rendered or sent was removed from disk meanwhile."""


class Lists:
    """The project list of one index."""

    def __init__(
        self, index: Index, documents: Documents, shelf: Shelf, renderer: ListRenderer, tasks: Tasks
    ) -> None:
        self._index = index
        self._documents = documents
        self._shelf = shelf
        self._renderer = renderer
        self._flights: Flights[Entry] = Flights(tasks)
        self._renderings: Flights[Representation] = Flights(tasks)

    async def get(
        self, form: Format, coding: Coding, *, refresh: bool = False
    ) -> ListAnswer | tuple[Representation, Answered]:
        """Give the list: open on disk, or in memory when the disk took none."""
        trouble: CheeseboxError = StoreError("the project list is removed as soon as it is stored")
        for _ in range(_ATTEMPTS):
            answered = await self._documents.get(self._document(), refresh=refresh)
            try:
                return await self._open(answered, form, coding)
            except _Lost:
                self._documents.drop_from_memory(answered.copy.entry.key)
            except UnreadablePage as error:
                log.warning("dropped the project list of %s: %s", self._index.name, error)
                await self._drop(answered.copy)
                trouble = error
            except StoreError as error:
                log.error("the project list of %s is rendered in memory: %s", self._index.name, error)
                return await self._in_memory(answered.copy, form, coding), answered
        raise trouble

    async def listing(self, *, refresh: bool = False) -> Listing:
        """Give the upstream's own list; raises `NotFound` or `UpstreamError`."""
        answered = await self._documents.get(self._document(), refresh=refresh)
        entry = answered.copy.entry

        async def open_body() -> Blob:
            blob = await self._shelf.open(entry)
            if blob is None:
                self._documents.drop_from_memory(entry.key)
                raise StoreError(f"the project list of {self._index.name} was removed meanwhile")
            return blob

        return Listing(answered, entry.digest, open_body)

    async def _open(self, answered: Answered, form: Format, coding: Coding) -> ListAnswer:
        entry = await self._rendering(answered.copy, form, coding)
        blob = await self._shelf.open(entry)
        if blob is None:
            raise _Lost("a representation of the project list was removed while it was opened")
        self._shelf.touch(entry.key)
        return ListAnswer(StoredFile(entry, blob, self._shelf), form.content_type, coding, answered)

    async def _drop(self, copy: StoredCopy) -> None:
        self._documents.drop_from_memory(copy.entry.key)
        with suppress(StoreError):
            await self._shelf.forget(copy.entry.key)

    def _document(self) -> Document:
        return Document(
            self._index.key("simple.page"),
            Kind.LIST,
            self._index.options.upstream,
            UPSTREAM_ACCEPT,
            self._index.options.lists,
            _looks_like_a_list,
            is_bulk=True,
            mirrored=self._index.mirrored_page(""),
            missing=_NO_LIST,
        )

    async def _rendering(self, copy: StoredCopy, form: Format, coding: Coding) -> Entry:
        key = self._index.key(f"simple.{form.name.lower()}.{coding.token}")
        entry = self._shelf.entry(key)
        if entry is not None and entry.origin == copy.entry.digest:
            return entry
        return await asyncio.shield(self._flights.join(key, lambda: self._render(copy, key, form, coding)))

    async def _render(self, copy: StoredCopy, key: Key, form: Format, coding: Coding) -> Entry:
        if copy.body:
            raise StoreError("the disk took no project list")
        source = await self._shelf.open(copy.entry)
        if source is None:
            raise _Lost("the project list was removed")
        reservation = self._shelf.room.reserve()
        part = None
        try:
            await reservation.extend(copy.entry.size * _ROOM_FACTOR)
            part = await self._shelf.blocking(self._shelf.store.begin, key)
            etag = await self._renderer.render(source.fileno(), part.fileno(), form, coding)
            size = await self._shelf.blocking(part.measure)
            now = self._shelf.clock()
            entry = Entry(
                key, Kind.LIST, size, "", copy.entry.digest, etag=etag, fetched_at=now, last_used=now
            )
            await self._shelf.admit(part, entry, reservation)
        finally:
            source.close()
            reservation.release()
            if part is not None:
                part.discard()
                part.close()
        return entry

    async def _in_memory(self, copy: StoredCopy, form: Format, coding: Coding) -> Representation:
        """Render in this process: slow and large, for the case that the disk takes nothing."""
        made: Representation | None = copy.derived.get((form, coding))
        if made is None:
            name = f"{form.name} {coding.name}"
            made = await asyncio.shield(self._renderings.join(name, lambda: self._make(copy, form, coding)))
            self._documents.derive(copy, (form, coding), made, len(made.body))
        return made

    async def _make(self, copy: StoredCopy, form: Format, coding: Coding) -> Representation:
        return await self._shelf.blocking(self._make_now, copy, form, coding)

    def _make_now(self, copy: StoredCopy, form: Format, coding: Coding) -> Representation:
        body = copy.body or self._read(copy.entry.key)
        made = render_list(body, copy.entry.content_type, copy.entry.location, form)
        return represent(made, form.content_type, coding)

    def _read(self, key: Key) -> bytes:
        blob = self._shelf.store.open(key)
        if blob is None:
            raise StoreError("the project list cannot be read")
        with closing(blob):
            page = envelope.unpack(blob.read(0, blob.size))
        if page is None:
            raise StoreError("the project list cannot be read")
        return page[1]


def render_merged_list(pages: Sequence[tuple[Entry, bytes]], form: Format) -> bytes:
    """Read several lists and write them as one. Pure; takes seconds for a big index."""
    lists = [read_project_list(body, entry.content_type, entry.location) for entry, body in pages]
    write = write_list_json if form is Format.JSON else write_list_html
    return b"".join(write(lists[0] if len(lists) == 1 else merge_lists(lists)))


def render_list(body: bytes, content_type: str, url: str, form: Format) -> bytes:
    """Read and write the list. Pure; takes seconds for a big index."""
    names = read_project_list(body, content_type, url)
    write = write_list_json if form is Format.JSON else write_list_html
    return b"".join(write(names))


def _looks_like_a_list(body: bytes, content_type: str, url: str) -> None:
    """Refuse what is no list or not all of one; the renderer reads the rest, outside this process.

    No parsing here: that would hold the interpreter, and so the event loop, for long.
    """
    first = body[:512].lstrip(_LEADING)[:1]
    if first not in (b"{", b"<") or ("json" in content_type and first != b"{"):
        raise UnreadablePage(f"{url}: the body is no project list of type {content_type[:100]!r}")
    if first == b"{" and not (body[-512:].rstrip().endswith(b"}") and b'"projects"' in body):
        raise UnreadablePage(f"{url}: the project list is not whole, or has no projects")
