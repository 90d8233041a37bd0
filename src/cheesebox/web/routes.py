"""What a path below an index's mount means. Pure: a path goes in, a route comes out.

Nothing that this module does not know is ever sent upstream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from cheesebox.errors import InvalidPath
from cheesebox.simple.names import normalize
from cheesebox.simple.paths import parse_file_path

if TYPE_CHECKING:
    from cheesebox.simple.names import ProjectName
    from cheesebox.simple.paths import FilePath

_SLASHES = re.compile(r"//+")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,127}\Z")
_LONGEST = 2048
_ENCODED_SLASH_OR_BROKEN_ESCAPE = re.compile(r"%2f|%(?![0-9a-f]{2})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ListRoute:
    """The project list."""


@dataclass(frozen=True, slots=True)
class PageRoute:
    """A project page."""

    project: ProjectName


@dataclass(frozen=True, slots=True)
class FileRoute:
    """A distribution file, its metadata or its signature."""

    path: FilePath


@dataclass(frozen=True, slots=True)
class LegacyRoute:
    """A document of the legacy JSON API."""

    project: ProjectName
    version: str | None


@dataclass(frozen=True, slots=True)
class ProvenanceRoute:
    """The provenance of a file."""

    project: ProjectName
    version: str
    filename: str


@dataclass(frozen=True, slots=True)
class DatedRoute:
    """Another route, in the index as it was at a moment (``@2026-01-31``)."""

    moment: str
    inner: IndexRoute


@dataclass(frozen=True, slots=True)
class RedirectRoute:
    """Another spelling of a known path; ``location`` is relative, so it holds behind any proxy."""

    location: str


IndexRoute = ListRoute | PageRoute | FileRoute | LegacyRoute | ProvenanceRoute | RedirectRoute
Route = IndexRoute | DatedRoute


def route(path: str) -> Route:
    """Understand a percent-encoded path below a mount, without its leading slash.

    Raises `InvalidPath` or `InvalidName` for what no index can have.
    """
    if len(path) > _LONGEST:
        raise InvalidPath("the path is too long")
    path = _SLASHES.sub("/", path).removeprefix("/")
    head, slash, rest = path.partition("/")
    if slash and (moment := _decode(head)).startswith("@"):
        return DatedRoute(moment[1:], _route(rest))
    return _route(path)


def _route(path: str) -> IndexRoute:
    head, _, rest = path.partition("/")
    match head:
        case "simple":
            return _simple(path, rest)
        case "packages" | "files" | "sources" if rest:
            return FileRoute(parse_file_path(path))
        case "pypi":
            return _legacy(rest)
        case "integrity":
            return _provenance(rest)
    raise InvalidPath(f"nothing lies at {path!r}")


def _simple(path: str, rest: str) -> IndexRoute:
    if path == "simple":
        return RedirectRoute("simple/")
    if not rest:
        return ListRoute()
    name, slash, more = rest.partition("/")
    if more:
        raise InvalidPath("nothing lies below a project page")
    project = normalize(_decode(name))
    if name == project and slash:
        return PageRoute(project)
    return RedirectRoute(f"{'../' if slash else ''}{project}/")


def _legacy(rest: str) -> IndexRoute:
    match [_decode(part) for part in rest.split("/")]:
        case [name, "json"]:
            return LegacyRoute(normalize(name), None)
        case [name, "json", ""]:
            return RedirectRoute("../json")
        case [name, version, "json"] if _VERSION.match(version):
            return LegacyRoute(normalize(name), version)
        case [_, version, "json", ""] if _VERSION.match(version):
            return RedirectRoute("../json")
    raise InvalidPath("no document of the JSON API")


def _provenance(rest: str) -> IndexRoute:
    match [_decode(part) for part in rest.split("/")]:
        case [name, version, filename, "provenance"] if _VERSION.match(version):
            parse_file_path(f"packages/{quote(filename)}")  # the same rules as for a file's name
            return ProvenanceRoute(normalize(name), version, filename)
    raise InvalidPath("no provenance document")


def _decode(segment: str) -> str:
    if not segment.isascii() or _ENCODED_SLASH_OR_BROKEN_ESCAPE.search(segment):
        raise InvalidPath("not percent-encoded as a segment of a path (RFC 3986 §3.3)")
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidPath("not UTF-8") from error
