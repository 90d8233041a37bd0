"""Takes files back that lie on disk without an entry: the catalogue was lost.

A file is adopted only if its digest is right; one that cannot be verified is removed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from cheesebox.cache import envelope
from cheesebox.cache.downloads import head_of, matches
from cheesebox.cache.flights import Flights
from cheesebox.errors import CheeseboxError, Offline, StoreError
from cheesebox.ports import Entry, Key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cheesebox.cache.digests import Digest
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.origins import Origin
    from cheesebox.cache.shelf import Shelf
    from cheesebox.ports import Blob

log = logging.getLogger(__name__)

_PAGE = ".page"


class Adoption:
    """Verifies and catalogues files that the catalogue does not know."""

    def __init__(self, shelf: Shelf, tasks: Tasks) -> None:
        self._shelf = shelf
        self._flights: Flights[bool] = Flights(tasks)
        self.is_over = False
        self.has_left = False
        """Whether something was left for a later start, when upstreams may be asked."""

    async def adopt(self, origin: Origin) -> bool:
        """Catalogue the file of this origin, if it is there and right; gives whether it was.

        Files without an entry exist only until a lost catalogue has been rebuilt.
        """
        if self.is_over:
            return False
        key = origin.key
        if key not in self._flights:
            blob = await self._shelf.blocking(self._shelf.store.open, key)
            if blob is None:
                return False
            blob.close()
            if self._shelf.entry(key) is not None:
                return True
        return await asyncio.shield(self._flights.join(key, lambda: self._verify(origin)))

    async def _verify(self, origin: Origin) -> bool:
        blob = await self._shelf.blocking(self._shelf.store.open, origin.key)
        if blob is None:
            return False
        try:
            return await self._decide(origin, blob)
        finally:
            blob.close()

    async def _decide(self, origin: Origin, blob: Blob) -> bool:
        digest = origin.digest
        if digest is None or not await self._shelf.blocking(matches, blob, blob.size, digest):
            log.warning("removed %s: it has no entry and cannot be verified", origin.key)
            await self._shelf.forget(origin.key)
            return False
        return await self._shelf.blocking(self._catalogue, self._entry(origin, digest, blob.size))

    def _entry(self, origin: Origin, digest: Digest, size: int) -> Entry:
        now = self._shelf.clock()
        return Entry(
            origin.key,
            origin.kind,
            size,
            digest,
            origin.url,
            etag=head_of(origin, size, "", "").etag,
            fetched_at=now,
            validated_at=now,
            last_used=now,
        )

    def _catalogue(self, entry: Entry) -> bool:
        """Write the entry down unless the file went meanwhile: an eviction hides the entry first."""
        with self._shelf.room.names:
            blob = self._shelf.store.open(entry.key)
            if blob is None:
                return False
            blob.close()
            if self._shelf.catalogue.get(entry.key) is None:
                self._shelf.catalogue.announce(entry)
                self._shelf.catalogue.confirm(entry.key)
        return True

    async def rebuild(self, find_origin: Callable[[Key], Awaitable[Origin]]) -> int:
        """Walk the store and catalogue all that is right, pages first; gives the count.

        The pages tell the digests of those files whose path does not carry one.
        """
        keys = await self._shelf.blocking(lambda: list(self._shelf.store.walk()))
        kept = 0
        for key in sorted(keys, key=lambda key: not key.endswith(_PAGE)):
            if self._shelf.entry(key) is None:
                kept += await self._retrieve(key, find_origin)
        return kept

    async def _retrieve(self, key: Key, find_origin: Callable[[Key], Awaitable[Origin]]) -> bool:
        try:
            if key.endswith(_PAGE):
                return await self._shelf.blocking(self._retrieve_page, key)
            origin = await find_origin(key)
            if origin.key == key:
                return await self.adopt(origin)
        except StoreError:
            raise
        except Offline:
            self.has_left = True
            return False
        except CheeseboxError as error:
            log.info("%s has no entry and no origin: %s", key, error)
        await self._shelf.forget(key)
        return False

    def _retrieve_page(self, key: Key) -> bool:
        blob = self._shelf.store.open(key)
        if blob is None:
            return False
        try:
            page = envelope.unpack(blob.read(0, blob.size))
        finally:
            blob.close()
        if page is None or page[0].key != key:
            self._shelf.store.remove(key)
            return False
        return self._catalogue(page[0])
