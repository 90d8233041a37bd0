"""The project list of one index that may be offline: then it has the projects that files are cached of.

It is made of the catalogue, once for each state of it, in a thread.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cheesebox.cache.copies import Answered, StoredCopy
from cheesebox.cache.flights import Flights
from cheesebox.cache.freshness import Verdict
from cheesebox.cache.made_lists import MadeList, list_body
from cheesebox.cache.offline import Unleased
from cheesebox.ports import Entry, Key, Kind
from cheesebox.simple.names import ProjectName, project_of
from cheesebox.simple.paths import FilePath, filename_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cheesebox.cache.connectivity import Connectivity
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.index import Index
    from cheesebox.cache.lists import ListAnswer, Listing, Lists
    from cheesebox.cache.representations import Representation
    from cheesebox.cache.shelf import Shelf
    from cheesebox.ports import Catalogue
    from cheesebox.simple.negotiation import Coding, Format

_PAGE_SUFFIX = ".page"


class SwitchedLists:
    """The upstream's list, or what can be had of it."""

    def __init__(
        self, lists: Lists, index: Index, connectivity: Connectivity, shelf: Shelf, tasks: Tasks
    ) -> None:
        self._lists = lists
        self._index = index
        self._connectivity = connectivity
        self._shelf = shelf
        self._flights: Flights[bytes] = Flights(tasks)
        self._made: tuple[tuple[int, int], bytes] | None = None

    async def get(
        self, form: Format, coding: Coding, *, refresh: bool = False
    ) -> ListAnswer | tuple[Representation, Answered]:
        """Give the list in the representation that a client asks for."""
        if self._connectivity.is_offline:
            return await (await self._cached()).represent(form, coding)
        return await self._lists.get(form, coding, refresh=refresh)

    async def listing(self, *, refresh: bool = False) -> Listing:
        """Give the list as a source of a merged one."""
        if self._connectivity.is_offline:
            return (await self._cached()).listing()
        return await self._lists.listing(refresh=refresh)

    async def _cached(self) -> MadeList:
        state = self._index.stored_state
        if self._made is None or self._made[0] != state:
            body = await asyncio.shield(self._flights.join(str(state), self._make))
            self._made = (state, body)
        now = self._shelf.clock()
        entry = Entry(self._index.key("simple"), Kind.LIST, 0, "", "", fetched_at=now, validated_at=now)
        answered = Answered(StoredCopy(entry, b""), Verdict.STALE, 0, Unleased())
        return MadeList(answered, self._made[1], self._shelf.blocking)

    async def _make(self) -> bytes:
        return await self._shelf.blocking(
            lambda: list_body(projects_at_hand(self._shelf.catalogue, self._index.key("")))
        )


def projects_at_hand(catalogue: Catalogue, prefix: Key) -> set[ProjectName]:
    """Give the projects below a prefix whose page is stored, and a file of which is. Blocks."""
    paged: set[ProjectName] = set()
    filed: set[ProjectName] = set()
    for entry in _below(catalogue, prefix):
        name = filename_of(FilePath(entry.key))
        if entry.kind is Kind.PAGE:
            paged.add(ProjectName(name.removesuffix(_PAGE_SUFFIX)))
        elif entry.kind is Kind.FILE and (project := project_of(name)) is not None:
            filed.add(project)
    return paged & filed


def _below(catalogue: Catalogue, prefix: Key) -> Iterator[Entry]:
    after = prefix
    while batch := catalogue.entries(after):
        for entry in batch:
            if not entry.key.startswith(prefix):
                return
            yield entry
        after = batch[-1].key
