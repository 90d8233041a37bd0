"""The ``[[index]]`` tables of the settings file: what may stand in one, and how they fit together.

Every refusal names the table and the key.
"""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from itertools import combinations
from typing import TYPE_CHECKING, Any

from cheesebox.errors import InvalidName, SettingsError
from cheesebox.simple.names import normalize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cheesebox.settings import IndexSettings

KEY = "index"
ALL = "*"
"""Stands in ``union`` for all projects."""

_KINDS = ("upstream", "upstreams", "sources", "path")
_COMMON = frozenset({"name", "mount", "public_url"})
_OF_MERGED = _COMMON | {"sources", "pins", "union"}
_OF_FOLDER = _COMMON | {"path"}
_DEFAULT = "pypi"
_SECRETS = (("password", "password_file"), ("token", "token_file"), ("password", "token"))
_SPLIT = re.compile(r"[,\s]+")


def to_names(value: Any) -> tuple[str, ...]:
    """Read a list of text, or text in which commas or spaces part it; raises ValueError."""
    found = [part for part in _SPLIT.split(value) if part] if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(part, str) for part in found):
        raise ValueError(f"{value!r} is no list of text")
    return tuple(found)


def to_pins(value: Any) -> tuple[tuple[str, str], ...]:
    """Read a table of projects and the names of sources; raises ValueError."""
    if not isinstance(value, dict) or not all(isinstance(source, str) for source in value.values()):
        raise ValueError(f'{value!r} is no table such as {{ torch = "pytorch" }}')
    return tuple((_project(project), source) for project, source in value.items())


def to_union(value: Any) -> tuple[str, ...]:
    """Read a list of projects, or the word "all"; raises ValueError."""
    if value == "all":
        return (ALL,)
    return tuple(map(_project, to_names(value)))


def _project(name: str) -> str:
    try:
        return normalize(name)
    except InvalidName as error:
        raise ValueError(str(error)) from error


def labelled(tables: Any, source: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give each table with what a message calls it; raises `SettingsError`."""
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(f"{source}: index is written as [[index]] tables")
    for number, table in enumerate(tables, 1):
        if not isinstance(table.get("name"), str):
            raise SettingsError(f"{source}: [[index]] number {number} has no name")
        yield f"{source}, [[index]] {table['name']!r}", table


def check_flat(given: Mapping[str, Any]) -> None:
    """Refuse flat keys that do not go together; raises `SettingsError`."""
    _kinds(given)
    _check_credentials(given)


def _kinds(given: Mapping[str, Any]) -> list[str]:
    kinds = [kind for kind in _KINDS if given.get(kind)]
    if len(kinds) > 1:
        allowed = ", ".join(_KINDS)
        raise SettingsError(f"{kinds[1]}: there is {kinds[0]} already; an index has one of {allowed}")
    return kinds


def check_kind(given: Mapping[str, Any]) -> None:
    """Refuse keys of a table that do not go together; raises `SettingsError`."""
    kinds = _kinds(given)
    if not kinds and given.get("name", _DEFAULT) != _DEFAULT:
        raise SettingsError(f"one of the keys {', '.join(_KINDS)} is needed")
    allowed = {"sources": _OF_MERGED, "path": _OF_FOLDER}.get(kinds[0] if kinds else "")
    for name in given:
        if allowed is not None and name not in allowed:
            raise SettingsError(f"{name}: an index with {kinds[0]} has no such key")
        if allowed is None and name in {"pins", "union"}:
            raise SettingsError(f"{name}: only an index with sources has this key")
    _check_credentials(given)


def _check_credentials(given: Mapping[str, Any]) -> None:
    for first, second in _SECRETS:
        if first in given and second in given:
            raise SettingsError(f"{second}: there is {first} already")
    if "client_key" in given and "client_cert" not in given:
        raise SettingsError("client_key: there is no client_cert")


def check(indexes: Sequence[IndexSettings]) -> None:
    """Refuse indexes that do not fit together; raises `SettingsError`."""
    names = [index.name for index in indexes]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"[[index]]: name = {name!r} is there more than once")
    for one, other in combinations([index for index in indexes if index.mount], 2):
        first, second = (f"{index.mount.rstrip('/')}/" for index in (one, other))
        if first.startswith(second) or second.startswith(first):
            taken = f"{one.mount!r} of {one.name!r}"
            raise SettingsError(f"[[index]] {other.name!r}: mount = {other.mount!r} overlaps with {taken}")
    for index in indexes:
        _check_sources(index, names)
    order(indexes)
    used = {source for index in indexes for source in index.sources}
    for index in indexes:
        if not index.mount and index.name not in used:
            raise SettingsError(f"[[index]] {index.name!r}: mount is empty, and no index has it as a source")


def _check_sources(index: IndexSettings, names: Sequence[str]) -> None:
    label = f"[[index]] {index.name!r}"
    for source in index.sources:
        if source not in names:
            raise SettingsError(f"{label}: sources: no index is called {source!r}")
    if len(set(index.sources)) < len(index.sources):
        raise SettingsError(f"{label}: sources: a name is there more than once")
    for project, source in index.pins:
        if source not in index.sources:
            raise SettingsError(f"{label}: pins: {project} = {source!r}, which is none of its sources")


def order(indexes: Sequence[IndexSettings]) -> tuple[IndexSettings, ...]:
    """Give the indexes, each after its sources; raises `SettingsError` for a cycle."""
    by_name = {index.name: index for index in indexes}
    try:
        sorted_names = list(TopologicalSorter({i.name: i.sources for i in indexes}).static_order())
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise SettingsError(f"[[index]]: sources lead in a circle: {circle}") from error
    return tuple(by_name[name] for name in sorted_names)
