"""Follows what other nodes change: wakes who waits for it, and removes here what was purged there."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from cheesebox.engines import Missed, Published, Removed
from cheesebox.errors import CheeseboxError, EngineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cheesebox.commons.commons import Commons
    from cheesebox.engines import Change
    from cheesebox.ports import Key

log = logging.getLogger(__name__)

_PAUSE = 1.0


class Following:
    """``remove`` removes keys here, from disk and from memory."""

    def __init__(self, commons: Commons, remove: Callable[[Sequence[Key]], Awaitable[object]]) -> None:
        self._commons = commons
        self._remove = remove

    async def run(self) -> None:
        """Follow for ever, through losses of the connection."""
        while True:
            try:
                async for change in self._commons.register.changes():
                    await self._apply(change)
            except EngineError as error:
                self._commons.register_health.failed(error)
            await asyncio.sleep(_PAUSE)

    async def _apply(self, change: Change) -> None:
        match change:
            case Published(key):
                self._commons.news.tell(key)
            case Removed(keys):
                await self._remove_here(keys)
            case Missed():
                log.warning(
                    "this node was cut off for long, or the register has lost what it knew: what was purged "
                    "meanwhile may still be here; purge it again"
                )
                self._commons.news.tell_all()

    async def _remove_here(self, keys: Sequence[Key]) -> None:
        try:
            await self._remove(keys)
        except CheeseboxError as error:
            log.error("purged elsewhere, and not removed here: %s: %s", ", ".join(keys[:3]), error)
        for key in keys:
            self._commons.news.tell(key)
