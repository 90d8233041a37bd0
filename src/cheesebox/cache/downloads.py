"""Downloads: one upstream GET of one file, written and hashed as it comes, followed by its readers.

Rules of this module:
1. There is at most one download of a key; it goes on when the reader that started it leaves.
2. A drop in mid-body is resumed from the bytes on disk, with back-off; the count of failures starts
   anew with each byte of progress.
3. A resumed body that comes whole (200) is compared with the bytes on disk while they last.
4. Bytes are admitted only after their digest is right; the digest covers exactly what readers saw.
5. A download leaves the table before its body ends, with its entry confirmed: who finds no download
   finds the entry.
6. The file handle stays open until the download has ended and its last reader has left.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.cache import digests
from cheesebox.cache.growing import GrowingBody
from cheesebox.cache.leftovers import PartFacts
from cheesebox.cache.mirrors import Turns
from cheesebox.cache.transfer import is_lasting, request_headers, understand
from cheesebox.cache.writing import BatchWriter
from cheesebox.errors import (
    BodyChanged,
    CheeseboxError,
    DigestMismatch,
    NotFound,
    ShuttingDown,
    StoreFull,
    UpstreamBroken,
    UpstreamError,
)
from cheesebox.ports import Entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cheesebox.cache.digests import Digest
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.origins import Origin
    from cheesebox.cache.shelf import Shelf
    from cheesebox.cache.supply import Supplies, Supply
    from cheesebox.ports import Key, Part, Readable, UpstreamAnswer

log = logging.getLogger(__name__)

_PARTIAL, _NOT_SATISFIABLE = 206, 416
_COMPARE = 1024 * 1024
_FIRST_PAUSE = 0.25


@dataclass(frozen=True, slots=True)
class Persistence:
    """How long a download tries: ``retries`` failures in a row without a byte, seconds between."""

    retries: int = 4
    first_pause: float = _FIRST_PAUSE
    longest_pause: float = 10.0
    max_file_size: int = 0

    def pause(self, failures: int) -> float:
        """Give the seconds to wait after this many failures in a row."""
        return float(min(self.longest_pause, self.first_pause * 2 ** (failures - 1)))


@dataclass(frozen=True, slots=True)
class FileHead:
    """What an answer says of a file before its bytes: size in bytes (None: not told), validators."""

    size: int | None
    etag: str
    last_modified: str = ""


def head_of(origin: Origin, size: int | None, etag: str, last_modified: str) -> FileHead:
    """Make the head of a file. The entity tag is constant for the bytes: their digest, if it is known."""
    if origin.digest is not None:
        return FileHead(size, f'"{digests.hex_of(origin.digest)}"', last_modified)
    hasher = digests.hasher(digests.BLAKE2)
    hasher.update(f"{origin.key}\n{etag}\n{last_modified}\n{size}".encode())
    return FileHead(size, f'"{hasher.hexdigest()[:40]}"', last_modified)


class Download:
    """One file on its way from the upstream to the disk."""

    def __init__(
        self,
        origin: Origin,
        supply: Supply,
        shelf: Shelf,
        persistence: Persistence,
        other_digest: Callable[[], Awaitable[Digest | None]],
    ) -> None:
        self.origin = origin
        self.head: asyncio.Future[FileHead] = asyncio.get_running_loop().create_future()
        self.head.add_done_callback(lambda head: head.cancelled() or head.exception())
        self.body: GrowingBody | None = None
        self.resumed = 0
        self._supply = supply
        self._shelf = shelf
        self._persistence = persistence
        self._other_digest = other_digest
        self._left: PartFacts | None = None
        self._turns = Turns(origin.mirrored or origin.url)
        self._validator = ""
        self._last_modified = ""
        self._reservation = shelf.room.reserve()
        self._readers = 0
        self._failure: CheeseboxError | None = None
        self._ended = False

    @property
    def readers(self) -> int:
        """How many follow now."""
        return self._readers

    def attach(self) -> None:
        """Count a reader in."""
        self._readers += 1

    def detach(self) -> None:
        """Count a reader out."""
        self._readers -= 1
        self._close_if_unused()

    def end(self) -> None:
        """Tell that the download is over, whichever way."""
        self._ended = True
        self._reservation.release()
        if self.body is None or not self.body.is_over:
            self._fail(CheeseboxError("the download was broken off"))
        self._supply.ended(self._failure)
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._ended and not self._readers and self.body is not None:
            self.body.part.close()

    @property
    def growing(self) -> GrowingBody:
        """The body; there once `head` is known."""
        if self.body is None:
            raise StoreFull("the download has no body on disk")
        return self.body

    async def run(self) -> None:
        """Fetch, verify, admit. Failures go to the readers, not out of here."""
        part: Part | None = None
        try:
            part = await self._open_part()
            self.body = GrowingBody(part, self._shelf.blocking)
            await self._fetch(part)
        except CheeseboxError as error:
            self._fail(error)
        except asyncio.CancelledError:
            self._fail(ShuttingDown("the cache is shutting down"))
            raise
        finally:
            if part is not None:
                part.discard()
                if self._shelf.leftovers is not None:
                    self._shelf.leftovers.forget(self.origin.key)

    async def _open_part(self) -> Part:
        taken = None if self._shelf.leftovers is None else await self._shelf.leftovers.take(self.origin)
        if taken is None:
            return await self._shelf.blocking(self._shelf.store.begin, self.origin.key)
        part, self._left = taken
        self._validator = self._left.validator
        return part

    def _fail(self, error: CheeseboxError) -> None:
        if self._failure is None:
            log.warning("download of %s failed: %s", self.origin.key, error)
        self._failure = error
        if not self.head.done():
            self.head.set_exception(error)
        if self.body is not None:
            self.body.fail(error)

    async def _fetch(self, part: Part) -> None:
        writer = BatchWriter(part, self.growing, self._reservation, self._hasher(), self._shelf.blocking)
        try:
            if self._left is not None:
                hasher = await self._shelf.blocking(_hashed, part, self._hasher())
                writer.begin_at(part.size, hasher)
            await self._fill(part, writer)
        finally:
            await writer.abandon()
        await self._finish(part, writer)

    async def _fill(self, part: Part, writer: BatchWriter) -> None:
        failures, reached = 0, 0
        while True:
            try:
                return await self._transfer(part, writer)
            except (NotFound, UpstreamError) as error:
                await writer.drain()
                if self._turns.move_on(error):
                    self._validator = ""  # it means nothing to another mirror
                    continue
                if isinstance(error, NotFound):
                    raise
                failures = 1 if part.size > reached else failures + 1
                reached = part.size
                if not self._is_worth_retrying(error, failures):
                    raise
                pause = self._persistence.pause(failures)
                log.warning("resuming %s at %d bytes in %.1f s: %s", self.origin.key, reached, pause, error)
                self.resumed += 1
                await asyncio.sleep(pause)

    def _hasher(self) -> digests.Hasher:
        algorithm = digests.algorithm_of(self.origin.digest) if self.origin.digest else digests.BLAKE2
        return digests.hasher(algorithm)

    def _is_worth_retrying(self, error: UpstreamError, failures: int) -> bool:
        if is_lasting(error):
            return False
        # Before the first byte a client is waiting that retries by itself: try once more, no longer.
        return failures <= (self._persistence.retries if self.growing.written else 1)

    async def _transfer(self, part: Part, writer: BatchWriter) -> None:
        url = self._turns.url
        headers = request_headers(part.size, validator=self._validator)
        async with self._supply.request("GET", url, headers) as answer:
            await self._go_on_or_begin_anew(answer, part, writer)
            begin = understand(answer.status, answer.headers, url, part.size, self.growing.total)
            self._check_validator(answer)
            await self._announce(answer, begin.total)
            self._supply.announced(self)
            skip = begin.skip
            position = part.size - skip
            async for chunk in answer.chunks():
                if position < part.size and skip:
                    known = min(len(chunk), skip)
                    await self._compare(part, position, chunk[:known])
                    position, skip = position + known, skip - known
                    chunk = chunk[known:]  # noqa: PLW2901 - the rest of the same chunk
                if chunk:
                    self._check_size(writer.size + len(chunk))
                    await writer.push(chunk)
            await writer.drain()
        if self.growing.total is not None and part.size != self.growing.total:
            raise UpstreamBroken(f"{url}: ended after {part.size} of {self.growing.total} bytes")
        self._turns.succeeded()

    async def _go_on_or_begin_anew(self, answer: UpstreamAnswer, part: Part, writer: BatchWriter) -> None:
        """Use what was left of the file if the upstream goes on from there, else let go of it."""
        left, self._left = self._left, None
        if left is None:
            return
        told = f"bytes {part.size}-{left.total - 1}/{left.total}"
        is_same = answer.headers.get("etag", left.validator) == left.validator
        if answer.status == _PARTIAL and answer.headers.get("content-range") == told and is_same:
            log.info("%s goes on from the %d bytes on disk", self.origin.key, part.size)
            await self._reservation.extend(part.size)
            self._reservation.wrote(part.size)
            self.growing.advance(part.size)
            return
        self._validator = ""
        await self._shelf.blocking(part.truncate)
        writer.begin_at(0, self._hasher())
        if answer.status in (_PARTIAL, _NOT_SATISFIABLE):
            raise UpstreamBroken(f"{self._turns.url}: does not go on from what was left of it")

    def _check_validator(self, answer: UpstreamAnswer) -> None:
        """Refuse a part of another body: some servers disregard ``If-Range`` (RFC 9110 §13.1.5)."""
        etag = answer.headers.get("etag", "")
        if answer.status == _PARTIAL and self._validator and etag and etag != self._validator:
            raise BodyChanged(f"{self._turns.url}: the entity tag is {etag}, {self._validator} before")

    async def _compare(self, part: Part, position: int, chunk: bytes) -> None:
        known = await self._shelf.blocking(part.read, position, len(chunk))
        if known != chunk:
            raise BodyChanged(f"{self._turns.url}: other bytes than before")

    def _check_size(self, size: int) -> None:
        total = self.growing.total
        if total is not None and size > total:
            raise BodyChanged(f"{self._turns.url}: more than the {total} bytes promised")
        limit = self._persistence.max_file_size
        if limit and size > limit:
            raise BodyChanged(f"{self._turns.url}: larger than max_file_size ({limit} bytes)")

    async def _announce(self, answer: UpstreamAnswer, total: int | None) -> None:
        """Take over what the first answer says, and promise room for it."""
        if self.head.done():
            return
        self._validator = answer.headers.get("etag", "")
        self._last_modified = answer.headers.get("last-modified", "")
        self.growing.total = total
        if total is not None:
            self._check_size(total)
        head = head_of(self.origin, total, self._validator, self._last_modified)
        try:
            await self._reservation.extend(total or 0)
        finally:
            self.head.set_result(head)
        if self._shelf.leftovers is not None and total is not None:
            digest = self.origin.digest or ""
            facts = PartFacts(self.origin.key, self._turns.url, self._validator, total, digest)
            await self._shelf.leftovers.note(facts)

    async def _finish(self, part: Part, writer: BatchWriter) -> None:
        digest = await self._verify(part, writer.hasher.hexdigest())
        now = self._shelf.clock()
        entry = Entry(
            self.origin.key,
            self.origin.kind,
            part.size,
            digest,
            self.origin.url,
            etag=self.head.result().etag,
            last_modified=self._last_modified,
            fetched_at=now,
            validated_at=now,
            last_used=now,
        )
        await self._shelf.admit(part, entry, self._reservation)
        self._supply.admitted(entry)
        self.growing.verified()

    async def _verify(self, part: Part, got: str) -> Digest:
        """Give the digest that the bytes have; raises `DigestMismatch`."""
        expected = self.origin.digest
        if expected is None:
            return digests.of(digests.BLAKE2, got)
        if digests.hex_of(expected) == got:
            return expected
        other = await self._digest_by_page() if digests.algorithm_of(expected) == digests.BLAKE2 else None
        if other is not None and await self._shelf.blocking(matches, part, part.size, other):
            return other
        url = self._turns.url
        log.error("%s: the digest is %s, not %s", url, got, expected)
        error = DigestMismatch(f"{url}: the digest is {got}, not {expected}")
        self._turns.move_on(error)  # its readers are cut; who asks again should get another mirror's
        raise error

    async def _digest_by_page(self) -> Digest | None:
        try:
            return await self._other_digest()
        except CheeseboxError as error:  # the trouble to tell is that of the file, not that of the page
            log.info("%s: no page to verify it by: %s", self.origin.key, error)
            return None


def _hashed(part: Part, hasher: digests.Hasher) -> digests.Hasher:
    for offset in range(0, part.size, _COMPARE):
        hasher.update(part.read(offset, min(_COMPARE, part.size - offset)))
    return hasher


def matches(body: Readable, size: int, digest: Digest) -> bool:
    """Tell whether a body on disk has this digest. Blocks."""
    hasher = digests.hasher(digests.algorithm_of(digest))
    for offset in range(0, size, _COMPARE):
        hasher.update(body.read(offset, min(_COMPARE, size - offset)))
    return hasher.hexdigest() == digests.hex_of(digest)


class Downloads:
    """The downloads under way, by key."""

    def __init__(self, supplies: Supplies, shelf: Shelf, tasks: Tasks, persistence: Persistence) -> None:
        self._supplies = supplies
        self._shelf = shelf
        self._tasks = tasks
        self._persistence = persistence
        self._under_way: dict[Key, Download] = {}

    def find(self, key: Key) -> Download | None:
        """Give the download of this key, if it is under way."""
        return self._under_way.get(key)

    def start(self, origin: Origin, other_digest: Callable[[], Awaitable[Digest | None]]) -> Download:
        """Start a download. No await between `find` and this."""
        download = Download(origin, self._supplies(origin), self._shelf, self._persistence, other_digest)
        task = self._tasks.start(download.run(), f"download {origin.key}")
        self._under_way[origin.key] = download
        task.add_done_callback(lambda _: self._ended(download))
        return download

    def _ended(self, download: Download) -> None:
        del self._under_way[download.origin.key]
        download.end()

    def under_way(self) -> tuple[Download, ...]:
        """Give all downloads, for those who show them."""
        return tuple(self._under_way.values())
