"""Distribution files and their metadata: from the shelf, from a download under way, or relayed.

Rules of this module:
1. Between looking for an entry, looking for a download and starting one there is no await.
2. A whole file that is not cached is downloaded once, whoever asks; a slice of it is relayed and
   starts no download: its reader wants a directory of a wheel, not the wheel.
3. A slice far ahead of a download is relayed as well: nobody waits for bytes that he did not ask for.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from cheesebox.cache import blobs, digests
from cheesebox.cache.connectivity import Connectivity
from cheesebox.cache.downloads import FileHead
from cheesebox.cache.freshness import Verdict
from cheesebox.cache.growing import WITHHELD
from cheesebox.cache.relays import Slice
from cheesebox.cache.terms import Terms
from cheesebox.errors import NotFound, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cheesebox.cache.adoption import Adoption
    from cheesebox.cache.downloads import Download, Downloads
    from cheesebox.cache.growing import GrowingBody
    from cheesebox.cache.index import Index
    from cheesebox.cache.origins import Origin, Origins
    from cheesebox.cache.relays import Relays
    from cheesebox.cache.shelf import Shelf
    from cheesebox.ports import Blob, Catalogue, Entry, Key
    from cheesebox.simple.paths import FilePath

log = logging.getLogger(__name__)

NEAR = 1024 * 1024
"""Bytes ahead of a download that are waited for rather than asked for; also: a file as small as this
is downloaded whole even if only a slice is wanted."""

_HASH = 1024 * 1024
_ABSENT_KEPT = 65536


class Want(enum.Enum):
    """What a request asks of a file."""

    HEAD = "head"
    SLICE = "slice"
    """A range with a known end, or the last bytes."""
    REST = "rest"
    """The whole file, or all from some byte on."""


class OpenFile(Protocol):
    """A file that can be streamed. Who gets it closes it."""

    head: FileHead
    verdict: Verdict
    collapsed: bool

    @property
    def blob(self) -> Blob | None:
        """The stored file, when it is one: servers may send it by better means."""
        ...

    def stream(self, start: int, stop: int | None) -> AsyncGenerator[bytes]:
        """Give the bytes from ``start`` up to ``stop`` (None: to the end)."""
        ...

    def close(self) -> None:
        """Give back what is held; idempotent."""


class FileLease:
    """How long the bytes of a file may be served without looking: until something is removed."""

    def __init__(self, entry: Entry, catalogue: Catalogue) -> None:
        self._entry = entry
        self._catalogue = catalogue
        self._removals = catalogue.removals

    def remaining(self) -> int | None:
        """Give 0 (a file is fresh for ever) or None when the file is not stored any more."""
        if self._removals != self._catalogue.removals:
            self._removals = self._catalogue.removals
            entry = self._catalogue.get(self._entry.key)
            if entry is None or entry.digest != self._entry.digest:
                return None
        return 0

    def terms(self) -> Terms:
        """Tell what it stands on."""
        return Terms((self._entry.key,))


class StoredFile:
    """A file on the shelf."""

    verdict = Verdict.HIT
    collapsed = False

    def __init__(self, entry: Entry, blob: Blob, shelf: Shelf) -> None:
        self.entry = entry
        self.head = FileHead(entry.size, entry.etag, entry.last_modified)
        self.blob: Blob | None = blob
        self._blob = blob
        self._shelf = shelf
        self._closed = False

    async def read_all(self) -> bytes:
        """Give all bytes at once: for files that fit in memory."""
        return await self._shelf.blocking(self._blob.read, 0, self._blob.size)

    def read_slice(self, start: int, stop: int) -> bytes:
        """Give the bytes of a slice at once. Blocks."""
        return self._blob.read(start, stop - start)

    def map_all(self) -> memoryview | None:
        """Map all bytes, if the page cache has them."""
        return self._blob.view_cached(0, self._blob.size)

    def lease(self) -> FileLease:
        """Tell how long these bytes may be served from memory."""
        return FileLease(self.entry, self._shelf.catalogue)

    def stream(self, start: int, stop: int | None) -> AsyncGenerator[bytes]:
        """Give the bytes of a slice."""
        return blobs.pieces(self._blob, self._shelf.blocking, start, stop)

    def views(self, start: int, stop: int | None) -> AsyncGenerator[bytes | memoryview]:
        """Give the bytes of a slice as views of the page cache, where they are in it."""
        return blobs.views(self._blob, self._shelf.blocking, start, stop)

    def close(self) -> None:
        """Give the handle back; idempotent."""
        if not self._closed:
            self._closed = True
            self._blob.close()


class BytesFile:
    """A small file that is in memory; ``sha256`` in hex."""

    blob = None

    def __init__(
        self, body: bytes, sha256: str, verdict: Verdict = Verdict.HIT, *, collapsed: bool = False
    ) -> None:
        self.head = FileHead(len(body), f'"{sha256}"')
        self.verdict = verdict
        self.collapsed = collapsed
        self._body = body

    async def stream(self, start: int, stop: int | None) -> AsyncGenerator[bytes]:
        """Give the bytes of a slice."""
        yield self._body[start:stop]

    def close(self) -> None:
        """Nothing is held."""


class RelayedFile:
    """A file that is not kept."""

    blob = None
    collapsed = False

    def __init__(self, origin: Origin, head: FileHead, relays: Relays, verdict: Verdict) -> None:
        self.head = head
        self.verdict = verdict
        self._origin = origin
        self._relays = relays

    def stream(self, start: int, stop: int | None) -> AsyncGenerator[bytes]:
        """Give the bytes of a slice; a whole file is verified."""
        wanted = Slice(start, stop, self.head.size)
        hasher = _hasher(self._origin) if wanted.is_whole else None
        return self._relays.stream(self._origin, wanted, hasher)

    def close(self) -> None:
        """Nothing is held."""


class FollowedFile:
    """A file that is being downloaded."""

    blob = None
    verdict = Verdict.MISS

    def __init__(self, download: Download, relays: Relays, shelf: Shelf, *, collapsed: bool) -> None:
        """Take over an attached download; `close` detaches it."""
        self.head = FileHead(None, "")
        self.collapsed = collapsed
        self._download = download
        self._origin = download.origin
        self._relays = relays
        self._shelf = shelf
        self._attached = True

    async def begin(self) -> None:
        """Wait for the head, and for all of a file whose bytes would all be withheld anyway.

        So a small file that fails verification is an honest error, not a cut connection.
        """
        self.head = await asyncio.shield(self._download.head)
        if self.head.size is not None and self.head.size <= WITHHELD:
            with suppress(StoreError):  # the disk took no more: `stream` goes on without it
                await self._download.growing.wait_whole()

    @property
    def _body(self) -> GrowingBody:
        return self._download.growing

    async def stream(self, start: int, stop: int | None) -> AsyncGenerator[bytes]:
        """Follow the download; far ahead of it, or when the disk takes no more, ask upstream."""
        position = start
        if start <= self._body.readable + NEAR:
            try:
                async for chunk in self._body.read(start, stop):
                    position += len(chunk)
                    yield chunk
            except StoreError as error:
                log.warning("%s goes on uncached: %s", self._origin.key, error)
            else:
                return
        wanted = Slice(position, stop, self.head.size)
        hasher = None
        if Slice(start, stop, self.head.size).is_whole:
            hasher = await self._shelf.blocking(self._hash_up_to, position)
        async for chunk in self._relays.stream(self._origin, wanted, hasher):
            yield chunk

    def _hash_up_to(self, position: int) -> digests.Hasher:
        hasher = _hasher(self._origin)
        for offset in range(0, position, _HASH):
            hasher.update(self._body.part.read(offset, min(_HASH, position - offset)))
        return hasher

    def close(self) -> None:
        """Leave the download, which goes on."""
        if self._attached:
            self._attached = False
            self._download.detach()


def _hasher(origin: Origin) -> digests.Hasher:
    return digests.hasher(digests.algorithm_of(origin.digest) if origin.digest else digests.BLAKE2)


class Files:
    """The files of one index."""

    def __init__(
        self,
        index: Index,
        origins: Origins,
        downloads: Downloads,
        relays: Relays,
        adoption: Adoption,
        shelf: Shelf,
        connectivity: Connectivity | None = None,
    ) -> None:
        self._connectivity = connectivity or Connectivity()
        self._index = index
        self._origins = origins
        self._downloads = downloads
        self._relays = relays
        self._adoption = adoption
        self._shelf = shelf
        self._absent: OrderedDict[Key, float] = OrderedDict()

    async def open(self, path: FilePath, want: Want) -> OpenFile:
        """Open a file; raises `NotFound`, `UpstreamError` or `StoreError`."""
        key = self._index.key(path)
        if (stored := await self.stored(key)) is not None:
            return stored
        self._recall_absence(key)
        try:
            return await self._open_absent(path, want)
        except NotFound as error:
            self._connectivity.require(path)  # the page that does not name it may be old
            if not error.remembered:  # else somebody else remembers it, and knows for how long
                self._note_absence(key)
            raise

    async def _open_absent(self, path: FilePath, want: Want) -> OpenFile:
        origin = await self._origins.find(path)
        if self._downloads.find(origin.key) is None:  # what it has renamed, it is about to catalogue
            await self._adoption.adopt(origin)
        while True:
            if (stored := await self.stored(origin.key)) is not None:
                return stored
            # No await from here to the start of a download (rule 1).
            if self._shelf.entry(origin.key) is not None:
                continue
            download = self._downloads.find(origin.key)
            if download is None:
                self._connectivity.require(path)
            if download is None and want is not Want.REST:
                relayed = await self._relay(origin, want)
                if relayed is not None:
                    return relayed
                want = Want.REST
                continue
            joined = download is not None
            if download is None:
                download = self._downloads.start(origin, lambda: self._origins.by_page(path))
            return await self._follow(download, joined=joined)

    async def stored(self, key: Key) -> StoredFile | None:
        """Open what is cached under a key, without asking anyone."""
        entry = self._shelf.entry(key)
        if entry is None or (blob := await self._shelf.open(entry)) is None:
            return None
        self._shelf.touch(key)
        return StoredFile(entry, blob, self._shelf)

    async def here(self, key: Key) -> OpenFile | None:
        """Open what is stored or growing here, without asking anyone."""
        download = None
        if (stored := await self.stored(key)) is not None or (download := self._downloads.find(key)) is None:
            return stored or await self.stored(key)  # it may have landed meanwhile
        download.attach()
        followed = FollowedFile(download, self._relays, self._shelf, collapsed=True)
        try:
            await followed.begin()
        except BaseException:
            followed.close()
            raise
        return followed

    async def _relay(self, origin: Origin, want: Want) -> RelayedFile | None:
        """Relay a head or a slice; None if the file is better downloaded."""
        head = await self._relays.head(origin)
        if want is Want.HEAD:
            return RelayedFile(origin, head, self._relays, Verdict.MISS)
        if head.size is None or head.size <= NEAR:
            return None
        return RelayedFile(origin, head, self._relays, Verdict.BYPASS)

    async def _follow(self, download: Download, *, joined: bool) -> OpenFile:
        download.attach()
        followed = FollowedFile(download, self._relays, self._shelf, collapsed=joined)
        try:
            await followed.begin()
        except StoreError as error:
            followed.close()
            log.warning("%s is served uncached: %s", download.origin.key, error)
            head = await self._relays.head(download.origin)
            return RelayedFile(download.origin, head, self._relays, Verdict.BYPASS)
        except BaseException:
            followed.close()
            raise
        return followed

    def _recall_absence(self, key: Key) -> None:
        since = self._absent.get(key)
        if since is not None and self._shelf.clock() - since < self._index.options.pages.negative_for:
            raise NotFound(f"{key}: not found", remembered=True)

    def _note_absence(self, key: Key) -> None:
        self._absent[key] = self._shelf.clock()
        while len(self._absent) > _ABSENT_KEPT:
            self._absent.popitem(last=False)
