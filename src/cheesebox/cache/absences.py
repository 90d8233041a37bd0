"""Which projects a source of a merged index has told that it has not, remembered over restarts.

Offline nobody can be asked again: without this a merged index could show nothing of its second source
after a restart, or would have to guess that the first has no such project.

Rules of this module:
1. Only an absence that let a later source speak is written down: there are no more of them than
   projects that were found.
2. It is forgotten as soon as the source is seen to have the project.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from cheesebox.errors import StoreError

if TYPE_CHECKING:
    from cheesebox.cache.shelf import Shelf
    from cheesebox.simple.names import ProjectName

log = logging.getLogger(__name__)

_KEPT = 65536
_ABSENT, _PRESENT = "1", ""


class Absences:
    """What is remembered of all sources; what was read or written last is held in memory."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._known: OrderedDict[str, str] = OrderedDict()

    async def has(self, source: str, project: ProjectName) -> bool:
        """Tell whether the source had no such project when it was asked last."""
        return await self._recall(_name(source, project)) == _ABSENT

    async def note(self, source: str, project: ProjectName) -> None:
        """Remember that a source has no such project."""
        await self._remember(_name(source, project), _ABSENT)

    async def forget(self, source: str, project: ProjectName) -> None:
        """Forget that: the source has the project."""
        await self._remember(_name(source, project), _PRESENT)

    async def _recall(self, name: str) -> str:
        if name not in self._known:
            try:
                value = await self._shelf.blocking(self._shelf.catalogue.fact, name)
            except StoreError as error:
                log.error("%s: cannot be recalled: %s", name, error)
                return _PRESENT
            if name not in self._known:  # what was written meanwhile is newer
                self._hold(name, value or _PRESENT)
        return self._known[name]

    async def _remember(self, name: str, value: str) -> None:
        if await self._recall(name) == value:
            return
        try:
            await self._shelf.blocking(self._shelf.catalogue.remember, name, value)
        except StoreError as error:
            log.error("%s: not written down: %s", name, error)
        self._hold(name, value)

    def _hold(self, name: str, value: str) -> None:
        self._known[name] = value
        self._known.move_to_end(name)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)


def _name(source: str, project: ProjectName) -> str:
    return f"absent {source} {project}"
