"""Fills the settings: TOML < environment < command line, or from what a program gives.

Errors name the key, the value and what is allowed, and where the value came from.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cheesebox import index_tables, static_tables
from cheesebox.errors import SettingsError
from cheesebox.setting_values import CHECKS, CONVERTERS, NO_CHECK, is_mount
from cheesebox.settings import (
    PREFIX,
    PUBLIC_FILES,
    PUBLIC_UPSTREAM,
    ROOT,
    IndexSettings,
    Settings,
    describe,
    describe_tables,
)
from cheesebox.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cheesebox.settings import Setting
    from cheesebox.static_tables import StaticSettings

DEFAULT_FILE = Path("cheesebox.toml")
_CONFIG_VARIABLE = f"{PREFIX}CONFIG"
# Kubernetes makes these variables for every container beside a service that is called cheesebox.
_SERVICE_LINK = re.compile(rf"{PREFIX}(?:SERVICE_(?:HOST|PORT).*|PORT_\d+_.*|PORT=tcp://.*)", re.DOTALL)


def load_settings(config: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any]) -> Settings:
    """Fill the model; raises `SettingsError` that names the key, the value and what is allowed.

    ``config`` is a TOML file; when it is None, the one that CHEESEBOX_CONFIG names is read, else
    ``cheesebox.toml`` of the current directory if there is one. ``overrides`` maps names of settings
    to values as typed (None: not given). An empty environment variable counts as not set.
    """
    known = {setting.name: setting for setting in describe()}
    if config is None and environ.get(_CONFIG_VARIABLE):
        config = Path(environ[_CONFIG_VARIABLE])
    given: dict[str, Any] = {}
    in_file = _read_file(config, known)
    tables = in_file.pop(index_tables.KEY, None)
    statics = static_tables.read(in_file.pop(static_tables.KEY, None), _file_name(config))
    for source, values in (
        (_file_name(config), in_file),
        ("environment", _read_environment(environ, known)),
        ("command line", _read_overrides(overrides, known)),
    ):
        for name, value in values.items():
            if tables is not None and name in _OF_INDEX:
                raise SettingsError(f"{name} ({source}): set it in the [[index]] tables of the file")
            given[name] = _convert(known[name], value, source)
    return _build(given, _read_tables(tables, _file_name(config)), statics, environ)


def settings_of(values: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Fill the model from values alone, as a program gives them; raises `SettingsError`.

    They are named and written as in the settings file. The environment tells nothing but where the
    user's cache directory is. A mount may be ``/``, and that of the only index is.
    """
    known = {setting.name: setting for setting in describe()}
    flat = dict(values)
    tables, statics = flat.pop(index_tables.KEY, None), flat.pop(static_tables.KEY, None)
    given: dict[str, Any] = {} if tables is not None else {"mount": ROOT}
    for name, value in _read_overrides(flat, known).items():
        if tables is not None and name in _OF_INDEX:
            raise SettingsError(f"{name}: set it in the tables of index")
        given[name] = _convert(known[name], value, _FROM_PROGRAM)
    indexes = _read_tables(tables, _FROM_PROGRAM, may_be_root=True)
    return _build(given, indexes, static_tables.read(statics, _FROM_PROGRAM), environ, may_be_root=True)


_FROM_PROGRAM = "create_app"
_TOGETHER = (
    ("tls_cert", "tls_key"),
    ("tls_key", "tls_cert"),
    ("tls_key_password", "tls_key"),
    ("store", "catalogue"),
    ("catalogue", "store"),
)
"""Settings that mean nothing without another one."""
_OF_INDEX = frozenset(f.name for f in fields(IndexSettings))


def _build(
    given: Mapping[str, Any],
    indexes: tuple[IndexSettings, ...],
    statics: tuple[StaticSettings, ...],
    environ: Mapping[str, str],
    *,
    may_be_root: bool = False,
) -> Settings:
    flat = {name: value for name, value in given.items() if name in _OF_INDEX}
    server = {name: value for name, value in given.items() if name not in _OF_INDEX}
    server.setdefault("cache_dir", default_cache_dir(environ))
    if not indexes:
        index_tables.check_flat(flat)
        indexes = (_completed(IndexSettings(**flat), may_be_root=may_be_root),)
    for one, other in _TOGETHER:
        if server.get(one) is not None and server.get(other) is None:
            raise SettingsError(f"{one}: there is no {other}")
    static_tables.check(statics, indexes, server["cache_dir"])
    return Settings(**server, index=indexes[0], further=indexes[1:], statics=statics)


def _read_tables(tables: Any, source: str, *, may_be_root: bool = False) -> tuple[IndexSettings, ...]:
    """Read the ``[[index]]`` tables; raises `SettingsError` that names the table and the key."""
    if tables is None:
        return ()
    known = {setting.name: setting for setting in describe_tables()}
    indexes = []
    for label, table in index_tables.labelled(tables, source):
        for name in table:
            if name not in known:
                raise SettingsError(f"{label}: unknown key {name!r}{_nearest(name, known)}")
        given = {name: _convert(known[name], value, label) for name, value in table.items()}
        try:
            index_tables.check_kind(given)
            index = IndexSettings(**{"mount": f"/{given['name']}"} | given)
            indexes.append(_completed(index, may_be_private=True, may_be_root=may_be_root))
        except SettingsError as error:
            raise SettingsError(f"{label}: {error}") from error
    index_tables.check(indexes)
    return tuple(indexes)


def _completed(
    index: IndexSettings, *, may_be_private: bool = False, may_be_root: bool = False
) -> IndexSettings:
    upstreams = tuple(url if url.endswith("/") else f"{url}/" for url in index.upstreams or (index.upstream,))
    upstream = upstreams[0]
    files = index.upstream_files
    if files is None and upstream == PUBLIC_UPSTREAM:
        files = PUBLIC_FILES
    if files is not None and not files.endswith("/"):
        files += "/"
    is_free = (may_be_private and not index.mount) or (may_be_root and index.mount == ROOT)
    mount = index.mount if is_free else _tidy_mount(index.mount)
    if index.retry_after > index.retry_max:
        first, last = format_duration(index.retry_after), format_duration(index.retry_max)
        raise SettingsError(f"retry_after = {first}: at most retry_max, which is {last}, is allowed")
    upstreams = upstreams if index.upstreams else ()
    return replace(index, upstream=upstream, upstreams=upstreams, upstream_files=files, mount=mount)


def _tidy_mount(mount: str) -> str:
    tidy = mount.rstrip("/")
    if not is_mount(tidy):
        raise SettingsError(f"mount = {mount!r}: a path such as /pypi is allowed, but not / and not /-")
    return tidy


def default_cache_dir(environ: Mapping[str, str]) -> Path:
    """Give the user's cache directory (XDG Base Directory Specification)."""
    base = environ.get("XDG_CACHE_HOME", "")
    # The specification tells to ignore a relative one.
    cache = Path(base) if base.startswith("/") else Path(environ.get("HOME") or Path.home(), ".cache")
    return cache / "cheesebox"


def _file_name(config: Path | None) -> str:
    return str(config or DEFAULT_FILE)


def _read_file(config: Path | None, known: Mapping[str, Setting]) -> dict[str, Any]:
    path = config or DEFAULT_FILE
    if config is None and not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    for name in values:
        if name not in known and name not in (index_tables.KEY, static_tables.KEY):
            raise SettingsError(f"{path}: unknown key {name!r}{_nearest(name, known)}")
    return values


def _read_overrides(overrides: Mapping[str, Any], known: Mapping[str, Setting]) -> dict[str, Any]:
    for name in overrides:
        if name not in known:
            raise SettingsError(f"unknown setting {name!r}{_nearest(name, known)}")
    return {name: value for name, value in overrides.items() if value is not None}


def _read_environment(environ: Mapping[str, str], known: Mapping[str, Setting]) -> dict[str, str]:
    by_variable = {setting.variable: setting.name for setting in known.values()}
    found = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or not value or _SERVICE_LINK.fullmatch(f"{variable}={value}"):
            continue
        if variable in by_variable:
            found[by_variable[variable]] = value
        elif variable != _CONFIG_VARIABLE:
            raise SettingsError(f"unknown variable {variable}{_nearest(variable, by_variable)}")
    return found


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _convert(setting: Setting, value: Any, source: str) -> Any:
    try:
        converted = CONVERTERS[setting.unit](value)
    except ValueError as error:
        raise SettingsError(f"{setting.name} ({source}): {error}") from error
    if setting.choices and converted not in setting.choices:
        allowed = ", ".join(setting.choices)
        raise SettingsError(f"{setting.name} ({source}): {value!r} is none of {allowed}")
    fits, allowed = CHECKS.get(setting.name, NO_CHECK)
    if not fits(converted):
        raise SettingsError(f"{setting.name} ({source}): {str(value)!r} is not {allowed}")
    return converted
