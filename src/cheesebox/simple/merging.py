"""Merging of what several indexes say: of one project, or of all projects there are. Pure.

What comes first wins: file by file, and for everything that a page says of the project as a whole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from cheesebox.simple.api_version import lowest_api_version
from cheesebox.simple.model import ProjectList
from cheesebox.simple.names import canonical_spelling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cheesebox.simple.model import ProjectPage


def merge_pages(pages: Sequence[ProjectPage]) -> tuple[ProjectPage, dict[str, int]]:
    """Merge the pages of one project; one page at least.

    Gives the page and for each file name the number of the page that its file is from. The versions
    are those of all pages (PEP 700), unless a page tells none; the API version is the lowest.
    """
    owners: dict[str, int] = {}
    files = [
        file
        for number, page in enumerate(pages)
        for file in page.files
        if owners.setdefault(file.filename, number) == number
    ]
    first = pages[0]
    document = dict(first.document)
    document["meta"] = _meta(pages)
    document.pop("versions", None)
    if all("versions" in page.document for page in pages):
        document["versions"] = list(dict.fromkeys(version for page in pages for version in page.versions))
    return replace(first, document=document, files=tuple(files), files_position=len(document)), owners


def merge_lists(lists: Sequence[ProjectList]) -> ProjectList:
    """Merge lists of projects; each project has the spelling of the first list that has it."""
    names: dict[str, str] = {}
    for listing in lists:
        for name in listing.names:
            names.setdefault(canonical_spelling(name), name)
    merged = tuple(names[key] for key in sorted(names))
    projects = msgspec.json.encode([{"name": name} for name in merged])
    return ProjectList({"meta": _meta(lists)}, merged, projects, 1)


def _meta(documents: Sequence[ProjectPage | ProjectList]) -> dict[str, Any]:
    """Give what holds for all; a serial counts the changes of one index, so it has no meaning here."""
    known = documents[0].document.get("meta")
    meta = dict(known) if isinstance(known, dict) else {}
    meta.pop("_last-serial", None)
    return meta | {"api-version": lowest_api_version([document.api_version for document in documents])}
