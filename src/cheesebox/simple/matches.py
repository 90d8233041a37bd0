"""Which projects and versions an entry of a list means: ``requests``, ``requests>=2,<3``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from cheesebox.errors import InvalidName
from cheesebox.simple.names import normalize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.specifiers import SpecifierSet

    from cheesebox.simple.model import DistributionFile
    from cheesebox.simple.names import ProjectName

MATCH_EXAMPLES = "a project such as requests, or some of its versions such as requests>=2,<3"


@dataclass(frozen=True, slots=True)
class Match:
    """One entry: a project, its versions (an empty specifier: all), and why it is on the list."""

    project: ProjectName
    versions: SpecifierSet
    reason: str = ""

    def covers(self, file: DistributionFile) -> bool:
        """Tell whether a file of the project is meant. A version that cannot be told is in no specifier."""
        if not self.versions:
            return True
        version = file.version
        return version is not None and self.versions.contains(version, prereleases=True)

    def __str__(self) -> str:
        return f"{self.project}{self.versions}"


def parse_match(text: str, reason: str = "") -> Match:
    """Read an entry: a project's name and PEP 440 specifiers. Raises ValueError."""
    try:
        requirement = Requirement(text)
        project = normalize(requirement.name)
    except (InvalidRequirement, InvalidName):
        raise ValueError(f"{text!r} is neither {MATCH_EXAMPLES}") from None
    if requirement.extras or requirement.marker or requirement.url:
        raise ValueError(f"{text!r} has more than a name and versions: give {MATCH_EXAMPLES}")
    return Match(project, requirement.specifier, reason)


@dataclass(frozen=True, slots=True)
class Matches:
    """A list of entries, found by their project."""

    entries: tuple[Match, ...] = ()
    _by_project: Mapping[ProjectName, tuple[Match, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[ProjectName, tuple[Match, ...]] = {}
        for entry in self.entries:
            found[entry.project] = (*found.get(entry.project, ()), entry)
        object.__setattr__(self, "_by_project", found)

    def __hash__(self) -> int:
        return hash(len(self.entries))  # a view is hashed at each request; equality looks closer

    def __str__(self) -> str:
        return " ".join(map(str, self.entries))

    def find(self, project: ProjectName, file: DistributionFile) -> Match | None:
        """Give the first entry that means the file."""
        return next((entry for entry in self._by_project.get(project, ()) if entry.covers(file)), None)


NO_MATCHES = Matches()
