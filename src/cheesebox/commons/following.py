"""Follows what other nodes change: wakes who waits for it, and removes here what was purged there."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from cheesebox.commons.purging import read_selection
from cheesebox.engines import Missed, Published, Removed, Selected
from cheesebox.errors import CheeseboxError, EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cheesebox.cache.purge import Purging
    from cheesebox.commons.commons import Commons
    from cheesebox.engines import Change
    from cheesebox.ports import Key

log = logging.getLogger(__name__)

_PAUSE = 1.0


class Following:
    """``here`` removes on this node alone, from disk and from memory."""

    def __init__(self, commons: Commons, here: Purging, *, pause: float = _PAUSE) -> None:
        self._commons = commons
        self._pause = pause
        self._here = here

    async def run(self) -> None:
        """Follow for ever, through losses of the connection."""
        while True:
            try:
                async for change in self._commons.register.changes():
                    await self._apply(change)
            except EngineError as error:
                log.info("the changes of other nodes are not heard now: %s", error)
                await self._find_out()
            await asyncio.sleep(self._pause)

    async def _find_out(self) -> None:
        """Find out whether the register is away, or only this connection was lost."""
        with suppress(EngineError), self._commons.register_health.watching():
            await self._commons.register.totals()

    async def _apply(self, change: Change) -> None:
        match change:
            case Published(key):
                self._commons.news.tell(key)
            case Removed(keys):
                await self._remove_here(keys)
            case Selected(text):
                await self._remove_selected(text)
            case Missed():
                log.warning(
                    "this node was cut off for long, or the register has lost what it knew: what was purged "
                    "meanwhile may still be here; purge it again"
                )
                self._commons.news.tell_all()

    async def _remove_here(self, keys: Sequence[Key]) -> None:
        try:
            await self._here.remove(keys)
        except CheeseboxError as error:
            log.error("purged elsewhere, and not removed here: %s: %s", ", ".join(keys[:3]), error)
        for key in keys:
            self._commons.news.tell(key)

    async def _remove_selected(self, text: str) -> None:
        try:
            purged = await self._here.run(read_selection(text))
        except CheeseboxError as error:
            log.error("purged elsewhere, and not removed here: %s: %s", text, error)
        else:
            log.info("purged by another node: %s; removed %d objects here", text, purged.objects)
