"""What a lock file or a requirement asks of an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from cheesebox.simple.model import DistributionFile
    from cheesebox.simple.names import ProjectName


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A file that may be taken: by its name, by its digest (``<algorithm>:<hex>``), or by both."""

    filename: str | None = None
    digest: str | None = None

    def is_met_by(self, file: DistributionFile) -> bool:
        """Tell whether this is the file. A digest of an algorithm that the page lacks tells nothing."""
        if self.filename is not None and self.filename != file.filename:
            return False
        if self.digest is None:
            return True
        algorithm, _, digits = self.digest.lower().partition(":")
        told = file.hashes.get(algorithm)
        return self.filename is not None if told is None else told.lower() == digits


@dataclass(frozen=True, slots=True)
class Wanted:
    """Files of one project. ``files`` are those that the lock allows; empty: any of the version."""

    project: ProjectName
    specifier: SpecifierSet
    files: tuple[LockedFile, ...] = ()

    def admits(self, file: DistributionFile) -> bool:
        """Tell whether the lock allows this file."""
        return not self.files or any(locked.is_met_by(file) for locked in self.files)

    @property
    def is_pinned(self) -> bool:
        """Whether it asks for one version: then a yanked one will do (PEP 592)."""
        return any(each.operator in {"==", "==="} and "*" not in each.version for each in self.specifier)

    def __str__(self) -> str:
        return f"{self.project}{self.specifier}"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Something that no index has: a path, an archive's URL or a repository."""

    what: str


Item = Wanted | Elsewhere
