"""Reading of ``poetry.lock``: all its groups, all its extras."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from packaging.markers import InvalidMarker, Marker

from cheesebox.errors import UnreadableLock
from cheesebox.lockfiles.toml_shapes import exactly, read_toml
from cheesebox.lockfiles.wanted import Elsewhere, Item, LockedFile, Wanted
from cheesebox.simple.names import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_INDEX = "legacy"


class _File(msgspec.Struct, frozen=True):
    file: str
    hash: str | None = None


class _Source(msgspec.Struct, frozen=True):
    type: str = _INDEX
    url: str = ""


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str
    files: tuple[_File, ...] = ()
    source: _Source = _Source()
    markers: str | dict[str, str] = ""


class _Metadata(msgspec.Struct, frozen=True):
    files: dict[str, tuple[_File, ...]] = {}
    """By project: where poetry before 1.3 had them."""


class _Lock(msgspec.Struct, frozen=True):
    package: tuple[_Package, ...]
    metadata: _Metadata


def read_poetry_lock(text: str, environment: Mapping[str, str]) -> tuple[Item, ...]:
    """Read the lock as it holds in an environment; raises `UnreadableLock`.

    Locks of poetry before 2.0 tell no markers of packages: all of them are wanted.
    """
    lock = read_toml(text, _Lock)
    held = (package for package in lock.package if _holds(package.markers, environment))
    return tuple(_item(package, lock.metadata.files) for package in held)


def _holds(markers: str | dict[str, str], environment: Mapping[str, str]) -> bool:
    """Tell whether a package is wanted by any of its groups."""
    each = (markers,) if isinstance(markers, str) else markers.values()
    return not each or any(_evaluate(marker, environment) for marker in each)


def _evaluate(marker: str, environment: Mapping[str, str]) -> bool:
    if not marker or "extra" in marker:
        return True
    try:
        return Marker(marker).evaluate(dict(environment))
    except InvalidMarker as error:
        raise UnreadableLock(f"{marker!r} is no marker: {error}") from error


def _item(package: _Package, older: Mapping[str, Iterable[_File]]) -> Item:
    if package.source.type != _INDEX:
        return Elsewhere(f"{package.name} @ {package.source.url}")
    files = package.files or older.get(package.name, ())
    locked = tuple(LockedFile(file.file, file.hash) for file in files)
    return Wanted(normalize(package.name), exactly(package.version), locked)
