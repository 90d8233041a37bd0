"""Core metadata for every wheel (PEP 658): what the upstream has not, is read out of the wheel.

Rules of this module:
1. The upstream's own answer comes first, then the cached wheel, then slices of the upstream's wheel,
   and the whole of it only where slices cannot be had or make no sense.
2. That a wheel has no readable metadata is concluded from the whole wheel alone, whose digest is
   right: slices prove nothing.
3. However many ask, a wheel is read once; what was read is stored for ever.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.cache import digests
from cheesebox.cache.files import BytesFile, Want
from cheesebox.cache.flights import Flights
from cheesebox.cache.freshness import Verdict
from cheesebox.errors import (
    DigestMismatch,
    NotFound,
    Offline,
    StoreError,
    UnreadableMetadata,
    UpstreamBroken,
    UpstreamStatus,
)
from cheesebox.ports import Entry, Kind
from cheesebox.simple.names import project_of
from cheesebox.simple.paths import FilePath, filename_of, wheel_of
from cheesebox.simple.wheel_archive import TAIL, UnreadableWheel, find_metadata, read_metadata

if TYPE_CHECKING:
    from collections.abc import Generator

    from cheesebox.cache.files import Files, OpenFile, StoredFile
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.index import Index
    from cheesebox.cache.offers import Offers
    from cheesebox.cache.origins import Origin, Origins
    from cheesebox.cache.pages import Pages
    from cheesebox.cache.relays import Relays
    from cheesebox.cache.shelf import Shelf
    from cheesebox.simple.model import DistributionFile
    from cheesebox.simple.names import ProjectName
    from cheesebox.simple.wheel_archive import Span

log = logging.getLogger(__name__)

_WHEEL = ".whl"
_FORBIDDEN, _SERVER_ERROR, _NOT_IMPLEMENTED = 403, 500, 501
"""Object stores without permission to list say "forbidden" for what they have not."""


@dataclass(frozen=True, slots=True)
class _Read:
    """Core metadata as it stood in a wheel; ``sha256`` in hex."""

    content: bytes
    sha256: str
    verdict: Verdict


class WheelMetadata:
    """The files of one index, with the metadata of every wheel."""

    def __init__(
        self,
        index: Index,
        files: Files,
        origins: Origins,
        pages: Pages,
        relays: Relays,
        offers: Offers,
        shelf: Shelf,
        tasks: Tasks,
    ) -> None:
        self._index = index
        self._files = files
        self._origins = origins
        self._pages = pages
        self._relays = relays
        self._offers = offers
        self._shelf = shelf
        self._flights: Flights[_Read] = Flights(tasks)

    async def open(self, path: FilePath, want: Want) -> OpenFile:
        """Open a file, or the metadata of a wheel.

        Raises what `Files.open` raises, and `UnreadableMetadata`.
        """
        wheel = wheel_of(path) if self._offers.is_on else None
        if wheel is None or not wheel.endswith(_WHEEL):
            return await self._files.open(path, want)
        try:
            return await self._files.open(path, want)
        except (NotFound, Offline, UpstreamStatus) as error:
            project = project_of(filename_of(wheel))
            if project is None or not _may_be_read(error):
                raise
            log.debug("%s is read out of the wheel: %s", path, error)
        return await self._extracted(path, wheel, project)

    async def _extracted(self, path: FilePath, wheel: FilePath, project: ProjectName) -> OpenFile:
        if (stored := await self._files.stored(self._index.key(path))) is not None:
            return stored  # read by a flight that has landed meanwhile
        joined = path in self._flights
        read = await asyncio.shield(self._flights.join(path, lambda: self._extract(path, wheel, project)))
        return BytesFile(read.content, read.sha256, read.verdict, collapsed=joined)

    async def _extract(self, path: FilePath, wheel: FilePath, project: ProjectName) -> _Read:
        file = (await self._pages.links(project)).file(wheel)
        if file is None:
            raise NotFound(f"no page of this index names {wheel}")
        if self._offers.is_unreadable(file):
            raise UnreadableMetadata(file.filename, "it has no core metadata that can be read")
        origin = await self._origins.find(wheel)
        try:
            content, verdict = await self._content(origin, wheel, file)
        except UnreadableWheel as error:
            log.warning("%s has no metadata to offer: %s", wheel, error)
            await self._shelf.blocking(self._offers.withdraw, file)
            self._pages.show_anew(project)
            raise UnreadableMetadata(file.filename, str(error)) from error
        read = _Read(content, hashlib.sha256(content).hexdigest(), verdict)
        _verify(file, read)
        await self._keep(path, origin, read)
        return read

    async def _content(
        self, origin: Origin, wheel: FilePath, file: DistributionFile
    ) -> tuple[bytes, Verdict]:
        """Give the metadata; raises `UnreadableWheel` when the verified wheel has none."""
        if (stored := await self._files.stored(origin.key)) is not None:
            return await self._from_stored(stored, file), Verdict.HIT
        try:
            return await self._from_slices(origin, file), Verdict.MISS
        except (UnreadableWheel, UpstreamBroken) as error:
            log.info("%s is read whole for its metadata: %s", wheel, error)
        except UpstreamStatus as error:
            if _SERVER_ERROR <= error.upstream_status != _NOT_IMPLEMENTED:
                raise
            log.info("%s is read whole for its metadata: %s", wheel, error)
        return await self._from_stored(await self._download(wheel, origin), file), Verdict.MISS

    async def _from_stored(self, stored: StoredFile, file: DistributionFile) -> bytes:
        try:
            return await self._shelf.blocking(
                read_metadata, file.filename, stored.entry.size, stored.read_slice
            )
        finally:
            stored.close()

    async def _from_slices(self, origin: Origin, file: DistributionFile) -> bytes:
        """Read the end of the wheel, and what that tells to read; raises `UnreadableWheel`."""
        size = file.size or (await self._relays.head(origin)).size
        if not size:
            raise UnreadableWheel("its size is not known")
        tail = await self._relays.read(origin, max(0, size - TAIL), size, size)
        finder = find_metadata(file.filename, size, tail)
        blocking, answer = self._shelf.blocking, None
        while True:
            # In a thread: a directory may have hundreds of thousands of entries.
            step = await blocking(_step, finder, answer)
            if isinstance(step, bytes):
                return step
            answer = await self._relays.read(origin, step.start, step.stop, size)

    async def _download(self, wheel: FilePath, origin: Origin) -> StoredFile:
        """Take the whole wheel into the cache."""
        body = await self._files.open(wheel, Want.REST)
        try:
            async for _ in body.stream(0, None):
                pass
        finally:
            body.close()
        stored = await self._files.stored(origin.key)
        if stored is None:
            raise StoreError(f"{wheel} could not be stored, so its metadata cannot be read")
        return stored

    async def _keep(self, path: FilePath, origin: Origin, read: _Read) -> None:
        now = self._shelf.clock()
        entry = Entry(
            self._index.key(path),
            Kind.METADATA,
            len(read.content),
            digests.of("sha256", read.sha256),
            origin.url,
            etag=f'"{read.sha256}"',
            fetched_at=now,
            validated_at=now,
            last_used=now,
        )
        try:
            await self._shelf.write_file(entry, read.content)
        except StoreError as error:
            log.error("%s is not stored: %s", path, error)


def _may_be_read(error: NotFound | Offline | UpstreamStatus) -> bool:
    return not isinstance(error, UpstreamStatus) or error.upstream_status == _FORBIDDEN


def _step(finder: Generator[Span, bytes, bytes], answer: bytes | None) -> Span | bytes:
    """Give the next slice that is wanted, or the metadata."""
    try:
        return next(finder) if answer is None else finder.send(answer)
    except StopIteration as found:
        return bytes(found.value)


def _verify(file: DistributionFile, read: _Read) -> None:
    """Compare with the digest that the upstream told, if it did but does not have the metadata."""
    told = {} if isinstance(file.core_metadata, bool) else file.core_metadata
    expected = digests.strongest(told)
    if expected is None:
        return
    hasher = digests.hasher(digests.algorithm_of(expected))
    hasher.update(read.content)
    if hasher.hexdigest() != digests.hex_of(expected):
        raise DigestMismatch(f"{file.filename}: its METADATA is not the one that its page tells of")
