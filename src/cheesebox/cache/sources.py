"""What a merged index needs of each of its sources, and what it may conclude from their answers.

Whatever its kind, a source finds a project's page, tells that it has none, or fails. Only the second
lets the next source speak: an index that is away must never make a public project of the same name
take the place of one's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from cheesebox.cache.freshness import Verdict
from cheesebox.cache.terms import Terms
from cheesebox.cache.terms import joint as joint_terms
from cheesebox.errors import NotFound, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cheesebox.cache.copies import Answered
    from cheesebox.cache.files import OpenFile, Want
    from cheesebox.cache.freshness import Policy
    from cheesebox.cache.guard import Clearance
    from cheesebox.cache.pages import PageAnswer
    from cheesebox.ports import Clock
    from cheesebox.simple.links import Linker
    from cheesebox.simple.model import ProjectPage
    from cheesebox.simple.names import ProjectName
    from cheesebox.simple.negotiation import Coding
    from cheesebox.simple.paths import FilePath
    from cheesebox.simple.policies import View


@dataclass(frozen=True, slots=True)
class Absence:
    """A source's 404 that is remembered: when it came, and until when the source is left alone."""

    since: float
    retry_at: float
    policy: Policy
    clock: Clock

    def remaining(self) -> int | None:
        """Whole seconds for which it holds without asking; None when they have passed."""
        age = self.clock() - self.since
        return int(self.policy.negative_for - age) if 0 <= age < self.policy.negative_for else None

    def terms(self) -> Terms:
        """Tell what it stands on."""
        return Terms((), self.since + self.policy.negative_for, math.inf)

    @property
    def is_usable(self) -> bool:
        """Tell whether it may stand for an answer while the source fails."""
        return self.clock() - self.since < self.policy.negative_for + self.policy.stale_for

    @property
    def is_resting(self) -> bool:
        """Tell whether it has to stand for an answer now: the source has failed a moment ago."""
        return self.is_usable and self.remaining() is None and self.clock() < self.retry_at


class Held(Protocol):
    """Something that holds for a while."""

    def remaining(self) -> int | None:
        """Whole seconds left, or None when it must be asked for again."""
        ...

    def terms(self) -> Terms | None:
        """Tell what it stands on; None: it holds here only."""
        ...


@dataclass(frozen=True, slots=True)
class JointLease:
    """Holds as long as all of its parts hold."""

    parts: tuple[Held, ...]

    def remaining(self) -> int | None:
        """Whole seconds left, or None when one of them must be asked for again."""
        left = [part.remaining() for part in self.parts]
        return None if None in left else min(seconds for seconds in left if seconds is not None)

    def terms(self) -> Terms | None:
        """Tell what they stand on together."""
        return joint_terms(part.terms() for part in self.parts)


@dataclass(frozen=True, slots=True)
class Found:
    """A project page that a source has.

    ``made_of`` names the bodies that it is read from: as long as that is the same, so is the page.
    ``read`` blocks. ``linker`` is called after it: a page may tell where its files are.
    """

    answered: Answered
    made_of: tuple[object, ...]
    read: Callable[[], ProjectPage]
    linker: Callable[[], Linker]


@dataclass(frozen=True, slots=True)
class Passed:
    """A source that has no such project; stale when its 404 is older than it may be without asking.

    ``absence`` is None when that 404 is not remembered.
    """

    absence: Absence | None
    is_stale: bool = False


class Source(Protocol):
    """One of the indexes that are merged, as it is shown below the mount of the merged one."""

    @property
    def name(self) -> str:
        """What the settings call it."""
        ...

    async def find(self, project: ProjectName, view: View, *, refresh: bool = False) -> Found:
        """Find a project's page; raises `NotFound` or `UpstreamError`.

        ``view`` is that of who asks; the source's own policies hold beside it.
        """
        ...

    def absence(self, project: ProjectName) -> Absence | None:
        """Give what is remembered of the last 404 for a project."""
        ...

    async def clear(self, path: FilePath, view: View) -> Clearance | None:
        """Clear a file or raise `FileWithheld`, as `Guard.clear` does."""
        ...

    async def clear_named(self, project: ProjectName, filename: str, view: View) -> Clearance | None:
        """Clear a file by its name, as `Guard.clear_named` does."""
        ...

    async def clear_project(self, project: ProjectName) -> None:
        """Clear a project, as `Guard.clear_project` does."""
        ...

    async def legacy_json(
        self,
        project: ProjectName,
        version: str | None,
        coding: Coding,
        view: View,
        *,
        refresh: bool = False,
    ) -> PageAnswer:
        """Give a document of the legacy JSON API."""
        ...

    async def provenance(
        self, project: ProjectName, version: str, filename: str, coding: Coding, *, refresh: bool = False
    ) -> PageAnswer:
        """Give the provenance of a file."""
        ...

    async def open(self, path: FilePath, want: Want) -> OpenFile:
        """Open a file of this source."""
        ...


async def ask(source: Source, project: ProjectName, view: View, *, refresh: bool) -> Found | Passed:
    """Ask one source; raises `UpstreamError` when it fails and no 404 may stand for its answer."""
    absence = source.absence(project)
    if absence is not None and absence.is_resting:
        return Passed(absence, is_stale=True)
    try:
        return await source.find(project, view, refresh=refresh)
    except NotFound:
        return Passed(source.absence(project))
    except UpstreamError:
        absence = source.absence(project)
        if absence is None or not absence.is_usable:
            raise
        return Passed(absence, is_stale=True)


def joint(found: Sequence[Answered], passed: Sequence[Passed] = ()) -> Answered:
    """Give how an answer came about that rests on several: it is as good as the worst of them."""
    first = found[0]
    absences = [one.absence for one in passed if one.absence is not None]
    is_stale = any(one.is_stale for one in passed)
    held: tuple[Held, ...] = (*(answered.lease for answered in found), *absences)
    lease = first.lease if len(held) == 1 else JointLease(held)
    verdict = max((answered.verdict for answered in found), key=_WORSE.index)
    return replace(
        first,
        lease=lease,
        verdict=Verdict.STALE if is_stale else verdict,
        max_age=0 if is_stale else (lease.remaining() or 0),
        collapsed=any(answered.collapsed for answered in found),
    )


_WORSE = (
    Verdict.HIT,
    Verdict.REVALIDATED,
    Verdict.EXPIRED,
    Verdict.MISS,
    Verdict.BYPASS,
    Verdict.UPDATING,
    Verdict.STALE,
)
