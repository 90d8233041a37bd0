"""Reading of JSON pages (PEP 691). Values are kept as they came; only what is required is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from cheesebox.errors import UnreadablePage
from cheesebox.simple.api_version import check_api_version
from cheesebox.simple.model import DistributionFile, ProjectList, ProjectPage
from cheesebox.simple.urls import resolve_link

if TYPE_CHECKING:
    from cheesebox.simple.names import ProjectName

_Shape = TypeVar("_Shape")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class _Listed(msgspec.Struct, gc=False):
    """The one thing that we need to know of each project in the list."""

    name: str


def decode_json(body: bytes, shape: type[_Shape]) -> _Shape:
    """Decode UTF-8 JSON of the given type; raises `UnreadablePage` for anything else."""
    try:
        return msgspec.json.decode(body.removeprefix(_BYTE_ORDER_MARK), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadablePage(f"The body is not the JSON that its type promises: {error}") from error


def read_json_page(body: bytes, url: str, name: ProjectName) -> ProjectPage:
    """Read a project page that came from ``url``; raises `UnreadablePage`."""
    document = decode_json(body, dict[str, Any])
    position = _position(document, "files")
    page = ProjectPage(name, document, _files(document.pop("files"), url), position)
    check_api_version(page.api_version)
    return page


def _position(document: dict[str, Any], key: str) -> int:
    if key not in document:
        raise UnreadablePage(f"The page has no {key!r}")
    return list(document).index(key)


def _files(entries: object, url: str) -> tuple[DistributionFile, ...]:
    if not isinstance(entries, list):
        raise UnreadablePage("'files' of the page is not a list")
    return tuple(file for entry in entries if (file := _file(entry, url)))


def _file(entry: object, url: str) -> DistributionFile | None:
    """Read one entry; ``None`` for a link that leads out of the web."""
    if not isinstance(entry, dict):
        raise UnreadablePage("An entry of 'files' is not an object")
    filename, reference = entry.get("filename"), entry.get("url")
    if not isinstance(filename, str) or not isinstance(reference, str):
        raise UnreadablePage("An entry of 'files' has no file name or no URL")
    link = resolve_link(reference, url)
    return DistributionFile(entry, link[0]) if link else None


def read_json_list(body: bytes) -> ProjectList:
    """Read the list of projects; raises `UnreadablePage`."""
    fields = decode_json(body, dict[str, msgspec.Raw])
    position = _position(fields, "projects")
    projects = msgspec.json.format(bytes(fields.pop("projects")), indent=-1)
    names = tuple(listed.name for listed in decode_json(projects, list[_Listed]))
    document = {key: decode_json(bytes(value), object) for key, value in fields.items()}
    listing = ProjectList(document, names, projects, position)
    check_api_version(listing.api_version)
    return listing
