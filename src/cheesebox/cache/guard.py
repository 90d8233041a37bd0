"""Asks the view of a request whether a file may be served, before it is, cached or not.

Rules of this module:
1. In a view with rules a file is served only if the page of its project names it and no rule
   withholds it; when the page cannot be had, the file cannot either.
2. In the plain view nobody waits for a page: what the cached one says decides. One that says
   "quarantined" is looked at again first, since it may be old.
3. A ready answer stands only as long as the page that its file was cleared by.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

from cheesebox.cache.terms import Terms, joint
from cheesebox.cache.views import refusal, utc
from cheesebox.errors import FileWithheld, StoreError, UpstreamError
from cheesebox.simple.model import DistributionFile
from cheesebox.simple.names import project_of
from cheesebox.simple.paths import FilePath, filename_of
from cheesebox.simple.policies import QUARANTINED, View, Withheld

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.cache.copies import Standing
    from cheesebox.cache.documents import Documents
    from cheesebox.cache.files import FileLease
    from cheesebox.cache.origins import LinkTable
    from cheesebox.cache.pages import Pages
    from cheesebox.ports import Clock, Key
    from cheesebox.simple.model import ProjectPage
    from cheesebox.simple.names import ProjectName

    Find = Callable[[LinkTable], DistributionFile | None]

_COMPANIONS = (".metadata", ".asc")
_PLAIN = View()


class Clearance:
    """Tells whether what a file was cleared by still stands: a page, or that none is cached."""

    def __init__(self, documents: Documents, key: Key, standing: Standing | None, arrivals: int) -> None:
        self._documents = documents
        self._key = key
        self._standing = standing
        self._arrivals = arrivals

    def holds(self) -> bool:
        """Look again only where something may have changed."""
        if self._standing is not None:
            return not self._standing.superseded
        if self._documents.arrivals == self._arrivals:
            return True
        self._arrivals = self._documents.arrivals
        try:
            return not self._documents.has(self._key)
        except StoreError:  # the application meets it again, and tells
            return False

    def terms(self) -> Terms:
        """Tell what it stands on."""
        return Terms((self._key,), most=math.inf)


class ClearedLease:
    """How long the bytes of a cleared file may be served without looking."""

    def __init__(self, lease: FileLease, clearance: Clearance) -> None:
        self._lease = lease
        self._clearance = clearance

    def remaining(self) -> int | None:
        """Give 0 (a file is fresh for ever) or None when file or clearance must be looked at again."""
        return self._lease.remaining() if self._clearance.holds() else None

    def terms(self) -> Terms | None:
        """Tell what it stands on."""
        return joint((self._lease.terms(), self._clearance.terms()))


class Guard:
    """Clears the files of one index."""

    def __init__(self, pages: Pages, documents: Documents, clock: Clock) -> None:
        self._pages = pages
        self._documents = documents
        self._clock = clock

    async def clear(self, path: FilePath, view: View) -> Clearance | None:
        """Clear a file, or one that accompanies it, by its path below the mount.

        Raises `FileWithheld`; also `NotFound` and `UpstreamError` where a page is needed. None means
        that nothing can withhold the file.
        """
        for suffix in _COMPANIONS:
            path = FilePath(path.removesuffix(suffix))

        def find(table: LinkTable) -> DistributionFile | None:
            found = table.resolve(path)
            return None if found is None else table.file(found)

        project = project_of(filename_of(path))
        if project is not None:
            return await self._clear(project, filename_of(path), find, view)
        if view.is_plain:
            return None
        raise FileWithheld(f"{filename_of(path)} is withheld: its name tells of no project")

    async def clear_named(self, project: ProjectName, filename: str, view: View) -> Clearance:
        """Clear a file by its name; raises as `clear` does."""

        def find(table: LinkTable) -> DistributionFile | None:
            path = table.path_of(filename)
            return None if path is None else table.file(path)

        return await self._clear(project, filename, find, view)

    async def clear_project(self, project: ProjectName) -> None:
        """Raise `FileWithheld` when a project is in quarantine, as far as is known."""
        await self._clear_plain(project, project)

    async def _clear(self, project: ProjectName, filename: str, find: Find, view: View) -> Clearance:
        if view.is_plain:
            return await self._clear_plain(project, filename)
        arrivals = self._documents.arrivals
        copy, table = await self._pages.named(project, view)
        file = find(table)
        if file is None:
            raise FileWithheld(f"{filename} is withheld: the page of {project} does not name it")
        self._refuse(file, table.page, view)
        return self._clearance(project, copy.standing, arrivals)

    async def _clear_plain(self, project: ProjectName, filename: str) -> Clearance:
        arrivals = self._documents.arrivals
        known = await self._pages.known(project)
        if known is None:
            return self._clearance(project, None, arrivals)
        standing, page = known
        if page.status == QUARANTINED:
            with suppress(UpstreamError):
                copy, table = await self._pages.named(project, _PLAIN)
                standing, page = copy.standing, table.page
            self._refuse(DistributionFile({"filename": filename}, ""), page, _PLAIN)
        return self._clearance(project, standing, arrivals)

    def _clearance(self, project: ProjectName, standing: Standing | None, arrivals: int) -> Clearance:
        return Clearance(self._documents, self._pages.key(project), standing, arrivals)

    def _refuse(self, file: DistributionFile, page: ProjectPage, view: View) -> None:
        judgement = view.judge(file, page, utc(self._clock()))
        if isinstance(judgement, Withheld):
            raise refusal(file.filename, judgement)
