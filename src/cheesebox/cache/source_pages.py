"""Pages of indexes that are no upstream's: merged ones and folders.

What is made of a page is kept by the bodies that it was made of, not with any one of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cheesebox.cache.flights import Flights
from cheesebox.cache.memory import WeightedLru
from cheesebox.cache.pages import PageAnswer
from cheesebox.cache.representations import represent
from cheesebox.simple.negotiation import Coding, Format
from cheesebox.simple.write_html import write_project_html
from cheesebox.simple.write_json import write_project_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.representations import Representation
    from cheesebox.cache.sources import Found, Source
    from cheesebox.simple.names import ProjectName
    from cheesebox.simple.policies import View


class SourcePages:
    """The pages of a source in the representation that a client asks for.

    ``memory`` bounds, in bytes, what is kept of them.
    """

    def __init__(self, source: Source, blocking: Blocking, tasks: Tasks, memory: int) -> None:
        self._source = source
        self._blocking = blocking
        self._flights: Flights[Representation] = Flights(tasks)
        self._made: WeightedLru[str, tuple[tuple[object, ...], Representation]] = WeightedLru(memory)
        self.legacy_json = source.legacy_json
        self.provenance = source.provenance

    async def project(
        self, project: ProjectName, form: Format, coding: Coding, view: View, *, refresh: bool = False
    ) -> PageAnswer:
        """Give a project page; raises `NotFound` or `UpstreamError`."""
        found = await self._source.find(project, view, refresh=refresh)
        plain = await self._once(f"{view.name} {project} {form.name}", found, lambda: _write(found, form))
        if coding is Coding.IDENTITY:
            return PageAnswer(plain, found.answered)
        name = f"{view.name} {project} {form.name} {coding.name}"
        return PageAnswer(
            await self._once(name, found, lambda: represent(plain.body, form.content_type, coding)),
            found.answered,
        )

    async def _once(self, name: str, found: Found, make: Callable[[], Representation]) -> Representation:
        """Make a representation once for the bodies that it is made of."""
        known = self._made.get(name)
        if known is not None and known[0] == found.made_of:
            return known[1]

        async def work() -> Representation:
            made = await self._blocking(make)
            self._made.put(name, (found.made_of, made), len(made.body))
            return made

        return await asyncio.shield(self._flights.join(f"{name} {hash(found.made_of)}", work))


def _write(found: Found, form: Format) -> Representation:
    write = write_project_json if form is Format.JSON else write_project_html
    page = found.read()
    return represent(write(page, found.linker()), form.content_type, Coding.IDENTITY)
