"""What an export consists of: a static index (PEP 503) of exactly the files in it. Pure.

::

    cheesebox.json                     what this is
    simple/index.html                  the projects
    simple/<project>/index.html        the files, for installers
    simple/<project>/cheesebox.page    the same as the upstream told it, for the import
    packages/…  files/<host>/…         files and core metadata
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from cheesebox.cache import envelope
from cheesebox.errors import BadExport
from cheesebox.ports import Entry, Key, Kind
from cheesebox.simple.links import learn_file_base, local_path
from cheesebox.simple.model import LEGACY_CORE_METADATA_KEYS, DistributionFile, ProjectList, ProjectPage
from cheesebox.simple.names import release_key, release_key_of
from cheesebox.simple.paths import FilePath, quote_path
from cheesebox.simple.write_html import write_list_html, write_project_html
from cheesebox.simple.write_json import write_project_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cheesebox.simple.names import ProjectName

MARKER = "cheesebox.json"
PAGE_NAME = "cheesebox.page"
METADATA = ".metadata"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
_FORMAT = 1
_METADATA_KEYS = ("core-metadata", *LEGACY_CORE_METADATA_KEYS)
_NOT_IN_AN_EXPORT = ("provenance", "gpg-sig")
_API_VERSION = {"api-version": "1.1"}


@dataclass(frozen=True, slots=True)
class Carried:
    """What is known of a file that is in the export: bytes, and hex digests of it and its metadata."""

    size: int
    sha256: str
    metadata_sha256: str | None = None


def marker(index_name: str) -> bytes:
    """Write what tells that this is an export."""
    return msgspec.json.encode({"format": _FORMAT, "index": index_name}) + b"\n"


def check_marker(body: bytes) -> None:
    """Raise `BadExport` unless this is an export that can be read."""
    try:
        told = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise BadExport(f"{MARKER} is not JSON: {error}") from error
    if told.get("format") != _FORMAT:
        raise BadExport(f"{MARKER} tells of format {told.get('format')!r}; known is {_FORMAT}")


def carried_page(page: ProjectPage, carried: Mapping[str, Carried]) -> ProjectPage:
    """Leave the files that are carried, by name, each with the digests that were found."""
    files = (_carried_file(file, carried[file.filename]) for file in page.files if file.filename in carried)
    document = {"meta": _API_VERSION, "name": page.name, **page.document}
    return with_only(replace(page, document=document), files)


def _carried_file(file: DistributionFile, known: Carried) -> DistributionFile:
    raw = {key: value for key, value in file.raw.items() if key not in _METADATA_KEYS}
    raw |= {"url": file.url, "hashes": {**file.hashes, "sha256": known.sha256}, "size": known.size}
    if known.metadata_sha256 is not None:
        raw["core-metadata"] = {"sha256": known.metadata_sha256}
    return DistributionFile(raw, file.url)


def with_only(page: ProjectPage, files: Iterable[DistributionFile]) -> ProjectPage:
    """Give the page with these files; ``versions`` (PEP 700) are theirs."""
    shown = page.with_files(files)
    if not page.versions:
        return shown
    kept = {release_key_of(file.filename) for file in shown.files}
    versions = [version for version in page.versions if release_key(version) in kept]
    return replace(shown, document={**page.document, "versions": versions})


def united(older: ProjectPage, newer: ProjectPage) -> ProjectPage:
    """Add to a page the files that it lacks; gives ``older`` itself where it lacks none."""
    known = {file.filename for file in older.files}
    added = [file for file in newer.files if file.filename not in known]
    if not added:
        return older
    document = {**older.document, "name": older.name}
    if older.versions:
        document["versions"] = list(dict.fromkeys([*older.versions, *newer.versions]))
    return replace(older, document=document).with_files([*older.files, *added])


def page_without_upstream(project: ProjectName, files: Iterable[tuple[str, str]]) -> ProjectPage:
    """Make a page of files by name and URL: they were fetched by URL, and no page of them is cached."""
    listed = tuple(DistributionFile({"filename": name, "url": url}, url) for name, url in files)
    return ProjectPage(project, {"meta": _API_VERSION, "name": project}, listed)


def paths_of(page: ProjectPage) -> dict[str, FilePath]:
    """Give the path in the export for each file that has one, by its name: the page alone tells it."""
    base = learn_file_base(page)
    found = ((file.filename, local_path(file.url, base)) for file in page.files)
    return {name: path for name, path in found if path is not None}


def static_page(page: ProjectPage) -> bytes:
    """Write the HTML page; it tells of nothing that the export lacks."""
    paths = paths_of(page)

    def link(file: DistributionFile) -> str:
        return "../../" + quote_path(paths[file.filename])

    told = (
        DistributionFile({k: v for k, v in file.raw.items() if k not in _NOT_IN_AN_EXPORT}, file.url)
        for file in page.files
    )
    return write_project_html(page.with_files(told), link)


def static_list(projects: Iterable[str]) -> bytes:
    """Write the HTML list of projects."""
    names = tuple(sorted(projects))
    return b"".join(write_list_html(ProjectList({"meta": {"api-version": "1.0"}}, names, b"[]")))


def page_body(page: ProjectPage) -> bytes:
    """Write a page with the upstream's own URLs, as a cache keeps it."""
    return write_project_json(page, lambda file: file.url)


def packed_page(page: ProjectPage, origin: str, fetched_at: float) -> bytes:
    """Write the page that the import reads: as it lies in a cache directory."""
    body = page_body(page)
    entry = Entry(
        Key(f"simple/{page.name}.page"),
        Kind.PAGE,
        0,
        envelope.digest_of(body),
        origin,
        location=origin,
        content_type=JSON_TYPE,
        fetched_at=fetched_at,
    )
    return envelope.pack(entry) + body
