"""How the value of each setting is written, and what it may be."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cheesebox.index_tables import to_names, to_pins, to_union
from cheesebox.policy_settings import to_matches, to_moment, to_only
from cheesebox.units import parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HIGHEST_PORT = 65535
_MOST_WORKERS = 256
_MOUNT = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~@-]+)+")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Unit(StrEnum):
    """How the value of a setting is written."""

    SIZE = "size"
    DURATION = "duration"
    NUMBER = "number"
    TEXT = "text"
    URL = "URL"
    PATH = "path"
    FLAG = "flag"
    URLS = "URLs"
    NAMES = "names"
    PINS = "pins"
    UNION = "union"
    MATCHES = "matches"
    ONLY = "only"
    MOMENT = "moment"
    WORKERS = "workers"
    ENGINE = "engine URL"


def redacted(url: str) -> str:
    """Give a URL as a message may show it: without user name and password."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}" if separator else url


def is_mount(path: str) -> bool:
    """Tell whether something may lie on this subpath: ``/-`` is taken, and ``/`` is none."""
    return _MOUNT.fullmatch(path) is not None and path != "/-" and not path.startswith("/-/")


def _to_size(value: Any) -> int:
    return parse_size(_written(value))


def _to_duration(value: Any) -> float:
    return parse_duration(_written(value))


def _written(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is neither text nor a number")  # noqa: TRY004 - what a converter raises
    return str(value)


def _to_number(value: Any) -> int:
    if not re.fullmatch(r"\d{1,15}", _written(value), re.ASCII):
        raise ValueError(f"{value!r} is no whole number of 0 or more")
    return int(value)


def _to_workers(value: Any) -> int:
    if value != "auto":
        return _to_number(value)
    usable = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(usable(0)) if usable else os.cpu_count() or 1


def _to_text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{value!r} is no text of one line")
    return value


def _to_url(value: Any) -> str:
    text = _to_text(value)
    if not _is_url(text):
        shown = redacted(text)
        raise ValueError(f"{shown!r} is no http or https URL such as https://index.example/simple/")
    return text


def _to_engine(value: Any) -> str:
    text = _to_text(value)
    if not re.fullmatch(r"[a-z0-9+]+://\S+", text):
        raise ValueError(f"{redacted(text)!r} is no URL such as s3://bucket/prefix or valkey://host/0")
    return text


def _to_urls(value: Any) -> tuple[str, ...]:
    return tuple(map(_to_url, to_names(value)))


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        _ = url.port  # raises ValueError if it is no port
    except ValueError:
        return False
    plain = not url.query and not url.fragment and " " not in text
    return plain and url.scheme in ("http", "https") and bool(url.hostname)


def _to_path(value: Any) -> Path:
    text = str(value) if isinstance(value, Path) else _to_text(value)
    if not text or "\0" in text:
        raise ValueError(f"{text!r} is no usable path")
    expanded = os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser fails where there is no such user
    if expanded.startswith("~"):
        raise ValueError(f"{text!r} is no usable path: there is no such user")
    # POSIX lets two leading slashes stand, which would hide that "//" is the root.
    return Path("/" + os.path.normpath(Path(expanded).absolute()).lstrip("/"))


def _to_flag(value: Any) -> bool:
    text = str(value).lower()
    if text not in _TRUE + _FALSE:
        raise ValueError(f"{value!r} is neither true nor false")
    return text in _TRUE


CONVERTERS: Mapping[Unit, Callable[[Any], Any]] = {
    Unit.SIZE: _to_size,
    Unit.DURATION: _to_duration,
    Unit.NUMBER: _to_number,
    Unit.TEXT: _to_text,
    Unit.URL: _to_url,
    Unit.PATH: _to_path,
    Unit.FLAG: _to_flag,
    Unit.URLS: _to_urls,
    Unit.NAMES: to_names,
    Unit.PINS: to_pins,
    Unit.UNION: to_union,
    Unit.MATCHES: to_matches,
    Unit.ONLY: to_only,
    Unit.MOMENT: to_moment,
    Unit.WORKERS: _to_workers,
    Unit.ENGINE: _to_engine,
}

_Check = tuple["Callable[[Any], bool]", str]


def _matches(pattern: str, allowed: str) -> _Check:
    return lambda value: re.fullmatch(pattern, value, re.ASCII) is not None, allowed


NO_CHECK: _Check = (lambda _value: True, "")
_POSITIVE: _Check = (lambda value: value > 0, "more than 0")
CHECKS: Mapping[str, _Check] = {
    "port": (lambda value: value <= _HIGHEST_PORT, f"a port: 0 to {_HIGHEST_PORT} is allowed"),
    "workers": (lambda value: 0 < value <= _MOST_WORKERS, f"1 to {_MOST_WORKERS}, or auto"),
    "host": _matches(r"[A-Za-z0-9_.:%-]+", "a host name or an IP address"),
    "status_header": _matches(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "a header's name: letters, digits and hyphens"),
    "name": _matches(r"[a-z0-9][a-z0-9-]*", "a name of lower-case letters, digits and hyphens"),
    "cache_dir": (lambda value: value != Path("/"), "allowed: name a directory of its own"),
    "access_file": (Path.is_file, "a file: name one with lines that the command cheesebox access writes"),
    "ca_bundle": (Path.is_file, "a file: name a PEM file of certificates"),
    "tls_cert": (Path.is_file, "a file: name a PEM file with a certificate"),
    "tls_key": (Path.is_file, "a file: name a PEM file with a key"),
    "client_cert": (Path.is_file, "a file: name a PEM file with a certificate"),
    "client_key": (Path.is_file, "a file: name a PEM file with a key"),
    "password_file": (Path.is_file, "a file: name one that holds the password"),
    "token_file": (Path.is_file, "a file: name one that holds the token"),
    "path": (Path.is_dir, "a directory"),
    "sources": (bool, "a list of names of other indexes"),
    "allow": (lambda value: value.entries != (), "a list of something: an empty one would allow nothing"),
} | dict.fromkeys(
    (
        "max_size",
        "max_connections",
        "max_page_size",
        "inactive",
        "keep_alive",
        "connect_timeout",
        "read_timeout",
        "retry_after",
        "retry_max",
    ),
    _POSITIVE,
)
