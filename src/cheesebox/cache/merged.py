"""A merged index: several sources behind one mount.

Rules of this module:
1. A project that a source has is answered by the first such source alone, even from a stale copy;
   with a pin by the pinned source alone. Only projects of the union show files of several sources.
2. Sources are asked one after the other, so that the names of one's own projects reach nobody else.
3. A source that fails is never passed over: the answer fails too, unless a 404 of that source is
   remembered that may stand for it while it is in trouble; then the answer is stale.
   While no upstream may be asked, what it told when it was asked last is as good, however old.
4. Files are served below ``sources/<name>/`` of the merged mount, by the source's own rules: their
   URLs do not change when the order of the sources does, and no other mount need be reachable.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cheesebox.cache.copies import StoredCopy
from cheesebox.cache.sources import Found, Passed, ask, joint
from cheesebox.errors import NotFound, Offline
from cheesebox.simple.merging import merge_pages
from cheesebox.simple.names import project_of
from cheesebox.simple.paths import FilePath, filename_of
from cheesebox.simple.policies import View

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from cheesebox.cache.absences import Absences
    from cheesebox.cache.copies import Answered
    from cheesebox.cache.files import OpenFile, Want
    from cheesebox.cache.guard import Clearance
    from cheesebox.cache.pages import PageAnswer
    from cheesebox.cache.sources import Absence, Source
    from cheesebox.simple.links import Linker
    from cheesebox.simple.model import ProjectPage
    from cheesebox.simple.names import ProjectName
    from cheesebox.simple.negotiation import Coding

_PLAIN = View()
FOLDER = "sources/"
"""Below this lie the files of the sources, each source under its name."""


@dataclass(frozen=True, slots=True)
class MergeRules:
    """Who answers for a project. ``union`` None stands for all projects."""

    pins: Mapping[str, str]
    union: frozenset[str] | None = frozenset()

    def unites(self, project: ProjectName) -> bool:
        """Tell whether all sources give files of a project."""
        return project not in self.pins and (self.union is None or project in self.union)


class Merged:
    """Several sources as one; a `Source` itself."""

    def __init__(self, name: str, sources: Sequence[Source], rules: MergeRules, absences: Absences) -> None:
        self._absences = absences
        self.name = name
        self._sources = tuple(sources)
        self._by_name = {source.name: source for source in sources}
        self._rules = rules

    def _asked(self, project: ProjectName) -> tuple[Source, ...]:
        pinned = self._rules.pins.get(project)
        return self._sources if pinned is None else (self._by_name[pinned],)

    async def find(self, project: ProjectName, view: View, *, refresh: bool = False) -> Found:
        """Find a project's page; raises `NotFound` or `UpstreamError`."""
        if self._rules.unites(project):
            return await self._united(project, view, refresh=refresh)
        _, found = await self._first(project, view, refresh=refresh)
        return found

    async def _first(
        self, project: ProjectName, view: View, *, refresh: bool = False
    ) -> tuple[Source, Found]:
        """Find the source that answers for a project, and its page."""
        passed: list[Passed] = []
        asked = self._asked(project)
        for source in asked:
            answer = await self._ask(source, project, view, refresh=refresh)
            if isinstance(answer, Found):
                await self._note(asked, source, project)
                return source, replace(answer, answered=joint([answer.answered], passed))
            passed.append(answer)
        raise NotFound(f"{self.name}: no source has {project}")

    async def _ask(
        self, source: Source, project: ProjectName, view: View, *, refresh: bool
    ) -> Found | Passed:
        """Ask a source; offline, what it said when it was asked last stands for its answer."""
        try:
            return await ask(source, project, view, refresh=refresh)
        except Offline:
            if await self._absences.has(source.name, project):
                return Passed(None, is_stale=True)
            raise

    async def _note(self, asked: Sequence[Source], found: Source, project: ProjectName) -> None:
        for source in asked:
            if source is found:
                await self._absences.forget(source.name, project)
                return
            await self._absences.note(source.name, project)

    async def _united(self, project: ProjectName, view: View, *, refresh: bool) -> Found:
        asked = [_at_hand(ask(source, project, view, refresh=refresh)) for source in self._sources]
        answers = await asyncio.gather(*asked)
        found = [answer for answer in answers if isinstance(answer, Found)]
        if not found:
            for answer in answers:
                if isinstance(answer, Offline):
                    raise answer
            raise NotFound(f"{self.name}: no source has {project}")
        passed = [answer for answer in answers if isinstance(answer, Passed)]
        answered = joint([one.answered for one in found], passed)
        if len(found) == 1:
            return replace(found[0], answered=answered)
        return _unite(found, replace(answered, copy=without_serial(answered.copy)))

    def absence(self, project: ProjectName) -> Absence | None:
        """Give the oldest of the sources' absences, None unless all have one."""
        absences = [source.absence(project) for source in self._asked(project)]
        known = [absence for absence in absences if absence is not None]
        if len(known) < len(absences):
            return None
        oldest = min(known, key=lambda absence: absence.since)
        return replace(oldest, retry_at=max(absence.retry_at for absence in known))

    async def legacy_json(
        self,
        project: ProjectName,
        version: str | None,
        coding: Coding,
        view: View,
        *,
        refresh: bool = False,
    ) -> PageAnswer:
        """Give the document of the source that answers for the project."""
        source, _ = await self._first(project, view)
        return await source.legacy_json(project, version, coding, view, refresh=refresh)

    async def provenance(
        self, project: ProjectName, version: str, filename: str, coding: Coding, *, refresh: bool = False
    ) -> PageAnswer:
        """Give the provenance of a file from the source that answers for the project."""
        source, _ = await self._first(project, _PLAIN)
        return await source.provenance(project, version, filename, coding, refresh=refresh)

    async def clear(self, path: FilePath, view: View) -> Clearance | None:
        """Clear a file by the rules of its source."""
        source, below = await self._locate(path, view)
        return await source.clear(below, view)

    async def clear_named(self, project: ProjectName, filename: str, view: View) -> Clearance | None:
        """Clear a file by the rules of the source that answers for the project."""
        source, _ = await self._first(project, view)
        return await source.clear_named(project, filename, view)

    async def clear_project(self, project: ProjectName) -> None:
        """Clear a project by the rules of the source that answers for it."""
        source, _ = await self._first(project, _PLAIN)
        await source.clear_project(project)

    async def open(self, path: FilePath, want: Want) -> OpenFile:
        """Open a file of one of the sources."""
        source, below = await self._locate(path, _PLAIN)
        return await source.open(below, want)

    async def _locate(self, path: FilePath, view: View) -> tuple[Source, FilePath]:
        """Find the source of a path: its name follows ``sources/``, else it is where the project is."""
        if path.startswith(FOLDER):
            name, _, below = path.removeprefix(FOLDER).partition("/")
            source = self._by_name.get(name)
            if source is None or not below:
                raise NotFound(f"{self.name} has no source {name}")
            return source, FilePath(below)
        project = project_of(filename_of(path))
        if project is None:
            raise NotFound(f"{filename_of(path)} names no project")
        source, _ = await self._first(project, view)
        return source, path


async def _at_hand(asking: Awaitable[Found | Passed]) -> Found | Passed | Offline:
    """Let a source of a union give nothing while offline: of the others, too, there is only a part."""
    try:
        return await asking
    except Offline as error:
        return error


def _unite(found: Sequence[Found], answered: Answered) -> Found:
    owners: dict[str, int] = {}

    def read() -> ProjectPage:
        page, known = merge_pages([one.read() for one in found])
        owners.update(known)
        return page

    def linker() -> Linker:
        linkers = [one.linker() for one in found]
        return lambda file: linkers[owners[file.filename]](file)

    return Found(answered, tuple(part for one in found for part in one.made_of), read, linker)


def without_serial(copy: StoredCopy) -> StoredCopy:
    """Give a copy for an answer made of several: what one index counts means nothing beside another."""
    return StoredCopy(replace(copy.entry, serial=None), b"")
