"""The ``[[static]]`` tables of the settings file: directories that are served as they are.

Every refusal names the table and the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cheesebox.errors import SettingsError
from cheesebox.setting_values import CONVERTERS, Unit, is_mount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cheesebox.settings import IndexSettings

KEY = "static"


class StaticKey(NamedTuple):
    """One key of a table as people meet it; without ``default`` it is needed."""

    name: str
    unit: Unit
    default: str
    help: str


KEYS = (
    StaticKey("mount", Unit.TEXT, "", "subpath that the directory lies on, / for the rest of the site"),
    StaticKey("root", Unit.PATH, "", "the directory"),
    StaticKey("listing", Unit.FLAG, "false", "list folders that have no index.html"),
)
_UNITS = {key.name: key.unit for key in KEYS}


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticSettings:
    """One directory. ``mount`` has no slash at its end: empty, it is the root of the site."""

    mount: str
    root: Path
    listing: bool = False
    """Whether folders without ``index.html`` are listed."""


def read(tables: Any, source: str) -> tuple[StaticSettings, ...]:
    """Read all tables (None: there are none); raises `SettingsError`."""
    if tables is None:
        return ()
    if not isinstance(tables, list | tuple) or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(f"{source}: static is written as [[static]] tables")
    return tuple(_read(table, f"{source}, [[static]] number {n}") for n, table in enumerate(tables, 1))


def _read(table: Mapping[str, Any], label: str) -> StaticSettings:
    for name in table:
        if name not in _UNITS:
            raise SettingsError(f"{label}: unknown key {name!r}; {', '.join(_UNITS)} are allowed")
    for name in ("mount", "root"):
        if name not in table:
            raise SettingsError(f"{label}: {name} is missing")
    given = {name: _convert(name, value, label) for name, value in table.items()}
    if not given["root"].is_dir():
        raise SettingsError(f"{label}: root = {str(given['root'])!r} is not a directory")
    return StaticSettings(**given | {"mount": _tidy(given["mount"], label)})


def _convert(name: str, value: Any, label: str) -> Any:
    try:
        return CONVERTERS[_UNITS[name]](value)
    except ValueError as error:
        raise SettingsError(f"{label}: {name}: {error}") from error


def _tidy(mount: str, label: str) -> str:
    tidy = mount.rstrip("/")
    if mount != "/" and not is_mount(tidy):
        raise SettingsError(f"{label}: mount = {mount!r}: / or a path such as /files is allowed, but not /-")
    return tidy


def check(statics: Sequence[StaticSettings], indexes: Sequence[IndexSettings], cache_dir: Path) -> None:
    """Refuse directories that do not fit with each other, an index or the cache; raises `SettingsError`.

    A directory may lie around an index (the longest prefix wins), but not over a part of one.
    """
    mounts = [static.mount for static in statics]
    for static in statics:
        label = f"[[static]]: mount = {static.mount or '/'!r}"
        if mounts.count(static.mount) > 1:
            raise SettingsError(f"{label} is there more than once")
        for index in indexes:
            if index.mount and f"{static.mount}/".startswith(f"{index.mount.rstrip('/')}/"):
                raise SettingsError(f"{label} overlaps with {index.mount!r} of index {index.name!r}")
        root, cache = static.root.resolve(), cache_dir.resolve()
        if root.is_relative_to(cache) or cache.is_relative_to(root):
            raise SettingsError(f"{label}: one of root and cache_dir lies in the other")
