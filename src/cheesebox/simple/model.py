"""Project pages and their files: all that upstream said, and readers for what it meant.

A page keeps the JSON values as they came, so that unknown keys survive (PEP 691). The properties
read them with tolerance: an optional value that makes no sense counts as absent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cheesebox.simple.api_version import stated_api_version
from cheesebox.simple.names import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.version import Version

    from cheesebox.simple.names import ProjectName

LEGACY_CORE_METADATA_KEYS = ("data-dist-info-metadata", "dist-info-metadata")
"""Older spellings of ``core-metadata`` (PEP 714), the first as the public index misspells it."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class DistributionFile:
    """One file of a project page: ``raw`` is its JSON object, ``url`` absolute and without a fragment."""

    raw: Mapping[str, Any]
    url: str

    @property
    def filename(self) -> str:
        """The name of the file."""
        return str(self.raw["filename"])

    @property
    def hashes(self) -> Mapping[str, str]:
        """Hex digests by the lower-case name of their algorithm."""
        return _digests(self.raw.get("hashes"))

    @property
    def sha256(self) -> str | None:
        """The SHA-256 digest, 64 lower-case hex digits."""
        digest = self.hashes.get("sha256", "").lower()
        return digest if _SHA256.fullmatch(digest) else None

    @property
    def size(self) -> int | None:
        """The size in bytes (PEP 700)."""
        size = self.raw.get("size")
        return size if type(size) is int and size >= 0 else None

    @property
    def upload_time(self) -> datetime | None:
        """The time of the upload (PEP 700), aware, in UTC."""
        return _utc(self.raw.get("upload-time"))

    @property
    def yanked(self) -> bool | str:
        """Whether the file is yanked, or the reason for it (PEP 592).

        The empty reason means "yanked, no reason given": a mirror must not lose the mark.
        """
        yanked = self.raw.get("yanked")
        if isinstance(yanked, str):
            return yanked or True
        return yanked is True

    @property
    def requires_python(self) -> str | None:
        """The specifier of Python versions."""
        return _text(self.raw.get("requires-python"))

    @property
    def core_metadata(self) -> bool | Mapping[str, str]:
        """Whether the ``.metadata`` file exists (PEP 658), or its digests."""
        for key in ("core-metadata", *LEGACY_CORE_METADATA_KEYS):
            value = self.raw.get(key)
            if isinstance(value, bool):
                return value
            if isinstance(value, dict):
                return _digests(value) or True
        return False

    @property
    def version(self) -> Version | None:
        """The version that the file name tells."""
        return version_of(self.filename)

    @property
    def provenance(self) -> str | None:
        """The URL of the attestations (PEP 740)."""
        return _text(self.raw.get("provenance"))


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """A project and its files. ``document`` has the top-level keys but ``files``, as they came.

    ``files_position`` tells how many keys stood before ``files``; it matters to no one but the writer.
    """

    name: ProjectName
    document: Mapping[str, Any]
    files: tuple[DistributionFile, ...]
    files_position: int = 0

    def with_files(self, files: Iterable[DistributionFile]) -> ProjectPage:
        """Give the same page with other files."""
        return replace(self, files=tuple(files))

    @property
    def api_version(self) -> str:
        """The version of the API that upstream speaks, ``1.0`` where it says nothing (PEP 629)."""
        return stated_api_version(self.document)

    @property
    def status(self) -> str:
        """The status of the project (PEP 792), ``active`` where upstream says nothing."""
        return _text(self._status_marker.get("status")) or "active"

    @property
    def status_reason(self) -> str | None:
        """Why the project has its status."""
        return _text(self._status_marker.get("reason"))

    @property
    def versions(self) -> tuple[str, ...]:
        """All versions that upstream lists (PEP 700); empty for a page that predates API 1.1."""
        versions = self.document.get("versions")
        return tuple(v for v in versions if isinstance(v, str)) if isinstance(versions, list) else ()

    @property
    def _status_marker(self) -> Mapping[str, Any]:
        """Find the marker at the top level, else in ``meta``, where the standard's example has it."""
        for holder in (self.document, _object(self.document.get("meta"))):
            if marker := _object(holder.get("project-status")):
                return marker
        return {}


@dataclass(frozen=True, slots=True)
class ProjectList:
    """All projects of an index. ``document`` has the top-level keys but ``projects``, as they came.

    ``names`` are display names. ``projects`` is the compact JSON array as upstream sent it: for the
    public index it has 800,000 objects, which as Python values would take ten times the memory.
    """

    document: Mapping[str, Any]
    names: tuple[str, ...]
    projects: bytes
    projects_position: int = 0

    @property
    def api_version(self) -> str:
        """The version of the API that upstream speaks, ``1.0`` where it says nothing (PEP 629)."""
        return stated_api_version(self.document)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _digests(value: object) -> Mapping[str, str]:
    return {name.lower(): digest for name, digest in _object(value).items() if isinstance(digest, str)}


def _utc(value: object) -> datetime | None:
    """Read an ISO 8601 time; one without an offset is in UTC, as in all of the index's APIs."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
