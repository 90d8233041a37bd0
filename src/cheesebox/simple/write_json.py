"""Writing of JSON pages (PEP 691): all that upstream said, with our links.

Strict clients refuse a whole page for one ``null`` where the standard wants no key, and old ones
break on ``dist-info-metadata`` (PEP 714): these are all that is mended on the way.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from cheesebox.simple.model import LEGACY_CORE_METADATA_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cheesebox.simple.links import Linker
    from cheesebox.simple.model import DistributionFile, ProjectList, ProjectPage

_NEVER_NULL = ("size", "upload-time", "yanked")
_BREAKS_OLD_CLIENTS = "dist-info-metadata"


def write_project_json(
    page: ProjectPage, link: Linker, provenance: Callable[[str], str] | None = None
) -> bytes:
    """Write a project page as compact UTF-8 JSON with a newline at its end.

    ``provenance`` rewrites the URLs of attestations; without it they stay as upstream wrote them,
    for they must lead to a secure origin (PEP 740).
    """
    files = [_entry(file, link, provenance) for file in page.files]
    before, after = _around(page.document, page.files_position)
    return msgspec.json.encode({**before, "files": files, **after}) + b"\n"


def write_list_json(projects: ProjectList) -> Iterator[bytes]:
    """Write the list of projects in pieces; the projects themselves are not copied."""
    before, after = _around(projects.document, projects.projects_position)
    yield b"{" + b"".join(_member(item) + b"," for item in before.items()) + b'"projects":'
    yield projects.projects
    yield b"".join(b"," + _member(item) for item in after.items()) + b"}\n"


def _around(document: Mapping[str, Any], position: int) -> tuple[dict[str, Any], dict[str, Any]]:
    items = iter(document.items())
    return dict(islice(items, position)), dict(items)


def _member(item: tuple[str, Any]) -> bytes:
    return msgspec.json.encode(item[0]) + b":" + msgspec.json.encode(item[1])


def _entry(file: DistributionFile, link: Linker, provenance: Callable[[str], str] | None) -> dict[str, Any]:
    entry = _without_the_old_key(file.raw)
    entry["url"] = link(file)
    entry["hashes"] = file.hashes
    for key in _NEVER_NULL:
        if entry.get(key, ...) is None:
            del entry[key]
    if provenance is not None and file.provenance:
        entry["provenance"] = provenance(file.provenance)
    return entry


def _without_the_old_key(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the entry; the value of the old key moves to the new one if nothing else carries it."""
    if _BREAKS_OLD_CLIENTS not in raw:
        return dict(raw)
    newer = ("core-metadata", LEGACY_CORE_METADATA_KEYS[0])
    if any(raw.get(key) is not None for key in newer):
        return {key: value for key, value in raw.items() if key != _BREAKS_OLD_CLIENTS}
    return {
        "core-metadata" if key == _BREAKS_OLD_CLIENTS else key: value
        for key, value in raw.items()
        if key not in newer
    }
