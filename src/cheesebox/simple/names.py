"""Project names, and what the name of a distribution file tells of its project and version."""

from __future__ import annotations

import re
from typing import NewType

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_version,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from cheesebox.errors import InvalidName

ProjectName = NewType("ProjectName", str)
"""A normalised project name: lower case, runs of ``-_.`` are one ``-``."""

_VALID = re.compile(r"([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])\Z", re.IGNORECASE | re.ASCII)
_SEPARATORS = re.compile(r"[-_.]+")
_COMPANIONS = (".metadata", ".asc", ".provenance")
_ARCHIVES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tar.z", ".tgz", ".zip", ".tar")
_BUILT = (".whl", ".egg")
_LEGACY = re.compile(r"(?P<project>.+?)-(?P<version>v?[0-9].*)\Z", re.ASCII | re.DOTALL)


def normalize(name: str) -> ProjectName:
    """Give the one spelling that stands for all spellings of a project (PEP 503).

    Raises `InvalidName` for what no project can be called.
    """
    if not _VALID.match(name):
        raise InvalidName(f"{name[:100]!r} cannot be the name of a project")
    return ProjectName(canonical_spelling(name))


def canonical_spelling(name: str) -> str:
    """Fold case and separators, without asking whether the name is a valid one."""
    return _SEPARATORS.sub("-", name).lower()


def project_of(filename: str) -> ProjectName | None:
    """Guess which project a distribution file, or a companion file of one, belongs to."""
    project, _ = _split(filename)
    try:
        return normalize(project)
    except InvalidName:
        return None


def version_of(filename: str) -> Version | None:
    """Guess which version of its project a distribution file is."""
    _, version = _split(filename)
    try:
        return Version(version)
    except InvalidVersion:
        return None


def release_key(version: object) -> str:
    """Give what all spellings of a version share (``1.0``, ``1``, ``v1.0.0``); also for invalid ones."""
    return canonicalize_version(str(version))


def release_key_of(filename: str) -> str:
    """Give the `release_key` of the version that the name of a distribution file tells."""
    return release_key(_split(filename)[1])


def _split(filename: str) -> tuple[str, str]:
    """Give project and version as written; empty strings stand for what cannot be told."""
    distribution = _without_companion_suffix(filename)
    try:
        if distribution.endswith(".whl"):
            wheel = parse_wheel_filename(distribution)
            return wheel[0], str(wheel[1])
        sdist = parse_sdist_filename(distribution)
        return sdist[0], str(sdist[1])
    except (InvalidWheelFilename, InvalidSdistFilename):
        return _guess(distribution)


def _without_companion_suffix(filename: str) -> str:
    for suffix in _COMPANIONS:
        filename = filename.removesuffix(suffix)
    return filename


def _guess(distribution: str) -> tuple[str, str]:
    """Split names that predate the standards, such as ``foo-bar-1.0dev-r123.tar.gz``."""
    stem = distribution
    for suffix in (*_BUILT, *_ARCHIVES):
        stem = stem.removesuffix(suffix)
    if distribution.endswith(_BUILT):
        # Both formats escape a dash inside a field, so the first dash ends the project.
        project, _, rest = stem.partition("-")
        return project, rest.partition("-")[0]
    if parts := _LEGACY.match(stem):
        return parts["project"], parts["version"]
    project, dash, version = stem.rpartition("-")
    if dash:
        return project, version
    return (stem, "") if stem != distribution else ("", "")
