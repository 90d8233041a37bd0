"""Reading of ``uv.lock``: what its projects reach in an environment, with all extras and groups."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.markers import InvalidMarker, Marker

from cheesebox.errors import UnreadableLock
from cheesebox.lockfiles.toml_shapes import exactly, read_toml
from cheesebox.lockfiles.wanted import Elsewhere, Item, LockedFile, Wanted
from cheesebox.simple.names import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LOCAL = ("editable", "virtual")
_NO_INDEX = ("git", "url", "path", "directory")


class _File(msgspec.Struct, frozen=True):
    url: str = ""
    path: str = ""
    hash: str | None = None


class _Dependency(msgspec.Struct, frozen=True):
    name: str
    version: str | None = None
    marker: str | None = None
    extra: tuple[str, ...] = ()


class _Package(msgspec.Struct, frozen=True, rename="kebab"):
    name: str
    version: str = ""
    source: dict[str, str] = {}
    dependencies: tuple[_Dependency, ...] = ()
    optional_dependencies: dict[str, tuple[_Dependency, ...]] = {}
    dev_dependencies: dict[str, tuple[_Dependency, ...]] = {}
    sdist: _File | None = None
    wheels: tuple[_File, ...] = ()

    @property
    def is_root(self) -> bool:
        return any(kind in self.source for kind in _LOCAL)


class _Lock(msgspec.Struct, frozen=True):
    version: int
    package: tuple[_Package, ...] = ()


def read_uv_lock(text: str, environment: Mapping[str, str]) -> tuple[Item, ...]:
    """Read the lock as it holds in an environment; raises `UnreadableLock`."""
    packages = read_toml(text, _Lock).package
    items = (_item(package) for package in _reached(packages, environment))
    return tuple(item for item in items if item is not None)


def _reached(packages: Sequence[_Package], environment: Mapping[str, str]) -> list[_Package]:
    """Give what the projects of the lock reach; a lock without projects (of a script) is taken whole."""
    if not any(package.is_root for package in packages):
        return list(packages)
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    for number, package in enumerate(packages):
        by_name[package.name].append(number)
    waiting = [(number, "*") for number, package in enumerate(packages) if package.is_root]
    seen = set(waiting)
    while waiting:
        number, extra = waiting.pop()
        for dependency in _dependencies(packages[number], extra):
            if not _holds(dependency.marker, environment):
                continue
            for found in by_name[dependency.name]:
                if dependency.version in (None, packages[found].version):
                    fresh = {(found, each) for each in ("", *dependency.extra)} - seen
                    seen |= fresh
                    waiting += fresh
    return [packages[number] for number in sorted({number for number, _ in seen})]


def _dependencies(package: _Package, extra: str) -> Iterable[_Dependency]:
    """Give what an extra adds; none is the package itself, ``*`` stands for all that it has."""
    if extra == "*":
        groups = (package.optional_dependencies | package.dev_dependencies).values()
        return (*package.dependencies, *(each for group in groups for each in group))
    return package.optional_dependencies.get(extra, ()) if extra else package.dependencies


def _holds(marker: str | None, environment: Mapping[str, str]) -> bool:
    """Tell whether a marker holds; one that asks for an extra does, since all extras are taken."""
    if marker is None or "extra" in marker:
        return True
    try:
        return Marker(marker).evaluate(dict(environment))
    except InvalidMarker as error:
        raise UnreadableLock(f"{marker!r} is no marker: {error}") from error


def _item(package: _Package) -> Item | None:
    if package.is_root:
        return None
    for kind in _NO_INDEX:
        if kind in package.source:
            return Elsewhere(f"{package.name} @ {package.source[kind]}")
    files = (*((package.sdist,) if package.sdist else ()), *package.wheels)
    locked = tuple(LockedFile(_filename(file), file.hash) for file in files)
    return Wanted(normalize(package.name), exactly(package.version), locked)


def _filename(file: _File) -> str:
    return unquote(urlsplit(file.url).path if file.url else file.path).rpartition("/")[2]
