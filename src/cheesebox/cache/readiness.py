"""Whether the store can be used: looked at when somebody asks, at most every few seconds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cheesebox.errors import StoreError, StoreFull
from cheesebox.ports import Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.cache.shelf import Shelf

_LOOKED_AT_FOR = 2.0
_PROBE = Key("-/probe")


class Readiness:
    """Tells why the cache can't do its work. ``timer`` gives seconds."""

    def __init__(self, shelf: Shelf, timer: Callable[[], float]) -> None:
        self._shelf = shelf
        self._timer = timer
        self._turn = asyncio.Lock()
        self._looked_at: float | None = None
        self._reason: str | None = None

    async def reason(self) -> str | None:
        """Give the reason, or None if all is well."""
        async with self._turn:  # many may ask at once
            now = self._timer()
            if self._looked_at is None or now - self._looked_at > _LOOKED_AT_FOR:
                self._reason = await self._shelf.blocking(self._look)
                self._looked_at = now
            return self._reason

    def _look(self) -> str | None:
        try:
            self._shelf.catalogue.totals()
            part = self._shelf.store.begin(_PROBE)
            part.discard()
            part.close()
        except StoreFull:
            return None  # what has no room is passed on to clients all the same
        except StoreError as error:
            return str(error)
        return None
