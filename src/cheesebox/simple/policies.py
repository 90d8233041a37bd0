"""Which files of an index are shown: rules about single files, and views made of them. Pure.

Rules of this module:
1. A rule only ever releases a file: what is allowed now is allowed at any later time.
2. A file that no rule can judge (no upload time, unknown version) is withheld unless it is set otherwise.
3. A view of a moment in the past is judged as of that moment, so it never changes with time.
4. All times are aware.
"""

from __future__ import annotations

import enum
from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from cheesebox.simple.matches import NO_MATCHES, Matches
from cheesebox.simple.moments import show_moment
from cheesebox.simple.names import release_key, release_key_of
from cheesebox.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cheesebox.simple.model import DistributionFile, ProjectPage

_BEGINNING = datetime.min.replace(tzinfo=UTC)
QUARANTINED = "quarantined"
_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tar.Z", ".tar")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The file may be shown and served."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """The file may not be served before ``until`` (None: as long as the rule holds)."""

    reason: str
    until: datetime | None = None


Judgement = Allowed | Withheld
ALLOWED = Allowed()


class Undated(enum.Enum):
    """What to do with a file that has no upload time."""

    HIDE = "hide"
    KEEP = "keep"


class Kind(enum.Enum):
    """A kind of distribution file."""

    WHEELS = "wheels"
    SDISTS = "sdists"

    def covers(self, filename: str) -> bool:
        """Tell whether a file is of this kind."""
        return filename.endswith(".whl") if self is Kind.WHEELS else filename.endswith(_SDISTS)


class Rule(Protocol):
    """Judges files one by one; ``page`` is the page that names the file."""

    def judge(self, file: DistributionFile, page: ProjectPage, now: datetime) -> Judgement:
        """Decide about a file at a time. See rule 1."""
        ...


@dataclass(frozen=True, slots=True)
class MinAge:
    """Withholds files younger than ``age``, but for the exempted."""

    age: timedelta
    exempt: Matches = NO_MATCHES
    undated: Undated = Undated.HIDE

    def judge(self, file: DistributionFile, page: ProjectPage, now: datetime) -> Judgement:
        """Decide by the upload time."""
        if self.exempt.find(page.name, file) is not None:
            return ALLOWED
        uploaded = file.upload_time
        age = format_duration(self.age.total_seconds())
        if uploaded is None:
            return _judge_undated(self.undated, f"files have to be {age} old")
        reason = f"it was uploaded {show_moment(uploaded)}, and files have to be {age} old"
        try:
            until = uploaded + self.age
        except OverflowError:
            return Withheld(reason)
        return ALLOWED if now >= until else Withheld(reason, until)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """Withholds files before they are uploaded, for views of the past."""

    undated: Undated = Undated.HIDE

    def judge(self, file: DistributionFile, page: ProjectPage, now: datetime) -> Judgement:  # noqa: ARG002 - a rule's signature
        """Decide by the upload time."""
        uploaded = file.upload_time
        if uploaded is None:
            return _judge_undated(self.undated, f"this is the index as of {show_moment(now)}")
        if now >= uploaded:
            return ALLOWED
        reason = f"it was uploaded {show_moment(uploaded)}, and this is the index as of {show_moment(now)}"
        return Withheld(reason, uploaded)


def _judge_undated(undated: Undated, rule: str) -> Judgement:
    return ALLOWED if undated is Undated.KEEP else Withheld(f"it has no upload time, and {rule}")


@dataclass(frozen=True, slots=True)
class Deny:
    """Withholds what is listed."""

    matches: Matches

    def judge(self, file: DistributionFile, page: ProjectPage, now: datetime) -> Judgement:  # noqa: ARG002 - a rule's signature
        """Decide by project and version."""
        found = self.matches.find(page.name, file)
        return ALLOWED if found is None else Withheld(found.reason or f"{found} is denied here")


@dataclass(frozen=True, slots=True)
class AllowOnly:
    """Withholds what is not listed."""

    matches: Matches

    def judge(self, file: DistributionFile, page: ProjectPage, now: datetime) -> Judgement:  # noqa: ARG002 - a rule's signature
        """Decide by project and version."""
        if self.matches.find(page.name, file) is not None:
            return ALLOWED
        return Withheld("it is not among what is allowed here")


@dataclass(frozen=True, slots=True)
class Only:
    """Withholds files of another kind."""

    kind: Kind
    reason: str = ""

    def __str__(self) -> str:
        return self.kind.value

    def judge(self, file: DistributionFile, page: ProjectPage, now: datetime) -> Judgement:  # noqa: ARG002 - a rule's signature
        """Decide by the file's name."""
        if self.kind.covers(file.filename):
            return ALLOWED
        return Withheld(self.reason or f"only {self.kind.value} are served here")


@dataclass(frozen=True, slots=True)
class View:
    """How an index is shown: its rules, and the moment at which it stands still, if it does.

    ``name`` is the segment of the path that asks for it (``@2026-01-31``), empty for the plain one.
    A project in quarantine shows no files in any view (PEP 792).
    """

    rules: tuple[Rule, ...] = ()
    moment: datetime | None = None
    name: str = ""

    def __hash__(self) -> int:
        return hash((self.name, self.moment))  # long lists of rules are compared only where these agree

    @property
    def is_plain(self) -> bool:
        """Tell whether only the state of a project can withhold its files."""
        return not self.rules

    def stopped_at(self, moment: datetime, undated: Undated, name: str = "") -> View:
        """Give the view as it was at a moment, which replaces the one that it stood still at."""
        rules = tuple(rule for rule in self.rules if not isinstance(rule, Uploaded))
        return View((*rules, Uploaded(undated)), moment, name)

    def judge(self, file: DistributionFile, page: ProjectPage, now: datetime) -> Judgement:
        """Decide about a file. Of several reasons to withhold it, the one that lasts longest is given."""
        judgement = self._judge(file, page, self._time(now))
        if self.moment is not None and isinstance(judgement, Withheld):
            return replace(judgement, until=None)
        return judgement

    def _judge(self, file: DistributionFile, page: ProjectPage, now: datetime) -> Judgement:
        if page.status == QUARANTINED:
            return Withheld(f"{page.name} is quarantined{_because(page.status_reason)}")
        found = (rule.judge(file, page, now) for rule in self.rules)
        reasons = [judgement for judgement in found if isinstance(judgement, Withheld)]
        return max(reasons, key=_lasting) if reasons else ALLOWED

    def _time(self, now: datetime) -> datetime:
        return now if self.moment is None else min(now, self.moment)

    def withheld(self, page: ProjectPage, now: datetime) -> dict[str, Withheld]:
        """Give the files that are not shown, by their names, and why."""
        judged = ((file.filename, self.judge(file, page, now)) for file in page.files)
        return {name: judgement for name, judgement in judged if isinstance(judgement, Withheld)}

    def show(self, page: ProjectPage, now: datetime) -> ProjectPage:
        """Give the page without what is withheld; its ``versions`` follow (PEP 700)."""
        if not self.rules and page.status != QUARANTINED:
            return page
        hidden = self.withheld(page, now)
        return _without(page, hidden) if hidden or not page.files else page

    def changes(self, page: ProjectPage) -> tuple[datetime, ...]:
        """Give the times, in order, at which files are released: between two of them nothing changes."""
        judged = (self._judge(file, page, _BEGINNING) for file in page.files)
        return tuple(sorted({each.until for each in judged if isinstance(each, Withheld) and each.until}))

    def epoch(self, changes: tuple[datetime, ...], now: datetime) -> Epoch:
        """Tell which of the stretches between ``changes`` a time lies in."""
        number = bisect_right(changes, self._time(now))
        ends = self.moment is None and number < len(changes)
        return Epoch(number, changes[number] if ends else None)


@dataclass(frozen=True, slots=True)
class Epoch:
    """A stretch of time in which a view of a page does not change; ``ends`` is its first moment after."""

    number: int
    ends: datetime | None


def _lasting(withheld: Withheld) -> tuple[bool, datetime]:
    return withheld.until is None, withheld.until or _BEGINNING


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _without(page: ProjectPage, hidden: Iterable[str]) -> ProjectPage:
    names = set(hidden)
    shown = page.with_files(file for file in page.files if file.filename not in names)
    listed = page.document.get("versions")
    if not isinstance(listed, list):
        return shown
    gone = {release_key_of(name) for name in names} - {release_key_of(file.filename) for file in shown.files}
    versions = [version for version in listed if shown.files and release_key(version) not in gone]
    return replace(shown, document={**page.document, "versions": versions})
