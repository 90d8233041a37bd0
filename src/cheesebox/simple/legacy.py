"""The legacy JSON API, ``/pypi/<project>/json``: passed through with our links, without what is withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cheesebox.simple.model import DistributionFile, ProjectPage
from cheesebox.simple.read_json import decode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from cheesebox.simple.names import ProjectName

_UPLOAD_TIMES = ("upload_time_iso_8601", "upload_time")


def rewrite_project_json(body: bytes, link: Callable[[str], str], hidden: Collection[str] = ()) -> bytes:
    """Replace the file URLs by ``link(url)``, leave hidden files out, and keep everything else.

    File URLs are ``urls[].url`` and ``releases[*][].url``. A release all of whose files are hidden (by
    their names) goes with them. Raises `UnreadablePage` when the body is not a JSON object; parts of
    another shape than expected stay as they are.
    """
    document = decode_json(body, dict[str, Any])
    if hidden:
        _leave_out(document, hidden)
    for group in _groups(document):
        for file in _files(group):
            if isinstance(file.get("url"), str):
                file["url"] = link(file["url"])
    return msgspec.json.encode(document) + b"\n"


def listed_files(body: bytes, project: ProjectName) -> ProjectPage:
    """Give the files of all releases as the page of a project has them, with their upload times.

    Raises `UnreadablePage`.
    """
    document = decode_json(body, dict[str, Any])
    files = {_name(file): file for group in _groups(document) for file in _files(group)}
    return ProjectPage(project, {}, tuple(_as_listed(name, file) for name, file in files.items()))


def requested_files(body: bytes) -> frozenset[str]:
    """Give the names of the files of the release that the document is about."""
    document = decode_json(body, dict[str, Any])
    return frozenset(_name(file) for file in _files(document.get("urls")))


def _as_listed(name: str, file: dict[str, Any]) -> DistributionFile:
    time = next((file[key] for key in _UPLOAD_TIMES if file.get(key)), None)
    return DistributionFile({"filename": name, "upload-time": time}, str(file.get("url", "")))


def _leave_out(document: dict[str, Any], hidden: Collection[str]) -> None:
    if isinstance(document.get("urls"), list):
        document["urls"] = _shown(document["urls"], hidden)
    releases = document.get("releases")
    if isinstance(releases, dict):
        shown = {version: _shown(group, hidden) for version, group in releases.items()}
        document["releases"] = {
            version: group for version, group in shown.items() if group or not releases[version]
        }


def _shown(group: Any, hidden: Collection[str]) -> Any:
    if not isinstance(group, list):
        return group
    return [file for file in group if not isinstance(file, dict) or _name(file) not in hidden]


def _groups(document: dict[str, Any]) -> Iterator[Any]:
    yield document.get("urls")
    releases = document.get("releases")
    yield from releases.values() if isinstance(releases, dict) else ()


def _files(group: Any) -> Iterator[dict[str, Any]]:
    if isinstance(group, list):
        yield from (file for file in group if isinstance(file, dict))


def _name(file: dict[str, Any]) -> str:
    return str(file.get("filename", ""))
