"""Reading of ``pylock.toml`` (PEP 751), with all its extras and dependency groups."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from packaging.pylock import Package, Pylock, PylockValidationError
from packaging.specifiers import SpecifierSet

from cheesebox.errors import UnreadableLock
from cheesebox.lockfiles.toml_shapes import exactly
from cheesebox.lockfiles.wanted import Elsewhere, Item, LockedFile, Wanted
from cheesebox.simple.names import normalize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PREFERRED = "sha256"


def read_pylock(text: str, environment: Mapping[str, str]) -> tuple[Item, ...]:
    """Read the lock as it holds in an environment; raises `UnreadableLock`."""
    try:
        lock = Pylock.from_dict(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, PylockValidationError) as error:
        raise UnreadableLock(f"not a pylock.toml: {error}") from error
    everything = {
        "extras": frozenset(lock.extras or ()),
        "dependency_groups": frozenset(lock.dependency_groups or ()),
    }
    around: dict[str, str | frozenset[str]] = {**environment, **everything}
    return tuple(_item(package) for package in lock.packages if _holds(package, around))


def _holds(package: Package, environment: Mapping[str, str | frozenset[str]]) -> bool:
    return package.marker is None or package.marker.evaluate(environment, context="lock_file")


def _item(package: Package) -> Item:
    files = tuple(_files(package))
    if not files:
        origin = package.archive or package.vcs or package.directory
        where = getattr(origin, "url", None) or getattr(origin, "path", None)
        return Elsewhere(f"{package.name} @ {where}")
    specifier = SpecifierSet() if package.version is None else exactly(str(package.version))
    return Wanted(normalize(package.name), specifier, files)


def _files(package: Package) -> Iterator[LockedFile]:
    for file in (*((package.sdist,) if package.sdist else ()), *(package.wheels or ())):
        algorithm = _PREFERRED if _PREFERRED in file.hashes else min(file.hashes)
        yield LockedFile(file.filename, f"{algorithm}:{file.hashes[algorithm]}")
