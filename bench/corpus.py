"""The synthetic index: pages of real sizes and files of any number, generated the same way every time.

A file is a fixed body whose last 16 bytes carry its number, so that ten thousand distinct files (each with
its own BLAKE2b path, as on the public index) cost the memory of one and no hashing beyond those 16 bytes.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import Any

KILO = 1000
MEBI = 1024 * 1024
TAIL = 16

PAGE_SIZES = {"page-18k": 18 * KILO, "page-96k": 96 * KILO, "page-1900k": 1_900 * KILO}
FILE_SIZES = {"small": 20 * 1024, "mid": MEBI, "big": 100 * MEBI}
LISTED = {"small": 50, "mid": 8, "big": 4}
UPLOADED = "2026-01-02T03:04:05.678901Z"


@dataclass(frozen=True, slots=True)
class File:
    """File number `number` of its family: its URL path, digest and size; `tail` ends the body."""

    filename: str
    path: str
    sha256: str
    size: int
    tail: bytes


@dataclass(slots=True)
class Family:
    """All files of one size."""

    kind: str
    size: int
    body: bytes = field(init=False, repr=False)
    _blake2b: Any = field(init=False, repr=False)
    _sha256: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.body = random.Random(self.kind).randbytes(self.size - TAIL)
        self._blake2b = hashlib.blake2b(self.body, digest_size=32)
        self._sha256 = hashlib.sha256(self.body)

    def file(self, number: int) -> File:
        tail = f"{number:0{TAIL}d}".encode()
        blake2b, sha256 = self._blake2b.copy(), self._sha256.copy()
        blake2b.update(tail)
        sha256.update(tail)
        digest = blake2b.hexdigest()
        filename = f"bench_{self.kind}-1.0.{number}-py3-none-any.whl"
        path = f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{filename}"
        return File(filename, path, sha256.hexdigest(), self.size, tail)


@cache
def family(kind: str) -> Family:
    """Return the family "small", "mid" or "big"; its body is made once a process."""
    return Family(kind, FILE_SIZES[kind])


@cache
def core_metadata() -> bytes:
    """Return the METADATA (20 KB) that every file of the synthetic index has."""
    head = "Metadata-Version: 2.4\nName: bench-mid\nVersion: 1.0.0\nRequires-Python: >=3.11\n\n"
    words = random.Random("metadata").choices(
        ["cache", "index", "wheel", "page", "stale", "fresh", "digest"], k=4000
    )
    return (head + " ".join(words))[: 20 * 1024].encode().ljust(20 * 1024, b"\n")


def page_entries(project: str) -> list[dict[str, Any]]:
    """Return the files of a project page, `url` being the path alone; KeyError for an unknown project."""
    if project in PAGE_SIZES:
        return _sized_entries(project, PAGE_SIZES[project])
    kind = project.removeprefix("bench-")
    return [_file_entry(family(kind).file(number)) for number in range(LISTED[kind])]


def _file_entry(file: File) -> dict[str, Any]:
    digest = hashlib.sha256(core_metadata()).hexdigest()
    return _entry(file.filename, file.path, file.sha256, file.size, digest)


def _entry(filename: str, path: str, sha256: str, size: int, metadata: str) -> dict[str, Any]:
    return {
        "filename": filename,
        "hashes": {"sha256": sha256},
        "requires-python": ">=3.11",
        "size": size,
        "upload-time": UPLOADED,
        "url": path,
        "yanked": False,
        "core-metadata": {"sha256": metadata},
    }


def _sized_entries(project: str, size: int) -> list[dict[str, Any]]:
    """Return as many made-up files as fill a JSON page of `size` bytes."""
    source = random.Random(project)
    entries: list[dict[str, Any]] = []
    filled = 150
    while filled < size:
        blake2b, sha256, metadata = (source.randbytes(32).hex() for _ in range(3))
        patch, build = divmod(len(entries), 40)
        filename = f"{project.replace('-', '_')}-2.{patch}.{build}-cp311-cp311-manylinux_2_28_x86_64.whl"
        path = f"/packages/{blake2b[:2]}/{blake2b[2:4]}/{blake2b[4:]}/{filename}"
        entries.append(_entry(filename, path, sha256, source.randrange(10**5, 10**8), metadata))
        filled += len(json.dumps(entries[-1])) + 25
    return entries


def render_json(project: str, entries: list[dict[str, Any]]) -> bytes:
    """Return the page as PEP 691 JSON."""
    versions = sorted({entry["filename"].split("-")[1] for entry in entries})
    page = {
        "files": entries,
        "meta": {"_last-serial": 1, "api-version": "1.4"},
        "name": project,
        "versions": versions,
    }
    return json.dumps(page).encode()


def render_html(project: str, entries: list[dict[str, Any]]) -> bytes:
    """Return the page as PEP 503 HTML."""
    lines = [_anchor(entry) for entry in entries]
    head = '<!DOCTYPE html>\n<html>\n  <head>\n    <meta name="pypi:repository-version" content="1.4">\n'
    title = f"    <title>Links for {project}</title>\n  </head>\n  <body>\n    <h1>Links for {project}</h1>\n"
    return (head + title + "\n".join(lines) + "\n</body>\n</html>\n").encode()


def _anchor(entry: dict[str, Any]) -> str:
    python = entry.get("requires-python")
    attributes = f' data-requires-python="{escape(python)}"' if python else ""
    yanked, metadata = entry.get("yanked"), entry.get("core-metadata")
    if yanked:
        attributes += f' data-yanked="{escape("" if yanked is True else str(yanked))}"'
    if metadata:
        value = "true" if metadata is True else f"sha256={metadata['sha256']}"
        attributes += f' data-dist-info-metadata="{value}" data-core-metadata="{value}"'
    url = f"{entry['url']}#sha256={entry['hashes']['sha256']}"
    return f'<a href="{url}"{attributes}>{entry["filename"]}</a><br />'
