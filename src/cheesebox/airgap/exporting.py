"""Writes an export of pages with their files.

Every file is hashed first: one that is not what it was when it was admitted is left out and named.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cheesebox.airgap import layout
from cheesebox.airgap.layout import METADATA, Carried
from cheesebox.airgap.sinks import chunks_of
from cheesebox.cache import digests
from cheesebox.cache.digests import Digest
from cheesebox.errors import BadExport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cheesebox.airgap.holdings import HeldPage
    from cheesebox.airgap.sinks import Sink
    from cheesebox.cache.index import Index
    from cheesebox.cache.shelf import Shelf
    from cheesebox.ports import Key
    from cheesebox.simple.model import DistributionFile, ProjectPage


@dataclass(slots=True)
class ExportReport:
    """What an export has; sizes in bytes. ``damaged`` are paths in the cache directory."""

    projects: int = 0
    files: int = 0
    size: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


class Export:
    """One export of one index. All calls block."""

    def __init__(self, index: Index, shelf: Shelf, sink: Sink) -> None:
        self._index = index
        self._shelf = shelf
        self._sink = sink
        self._urls: dict[str, str] = {}
        self.report = ExportReport()

    def write(self, pages: Iterable[HeldPage]) -> None:
        """Write it; raises `BadExport` when there is nothing to write."""
        self._add(layout.MARKER, layout.marker(self._index.name))
        names = [held.page.name for held in pages if self._project(held)]
        if not names:
            raise BadExport("nothing to export: no file of what is asked for is cached")
        self._add("simple/index.html", layout.static_list(names))
        self.report.projects = len(names)

    def _project(self, held: HeldPage) -> bool:
        carried = {file.filename: known for file in held.page.files if (known := self._carry(file))}
        page = layout.carried_page(held.page, carried)
        if not page.files:
            return False
        self._files(page)
        folder = f"simple/{page.name}"
        self._add(f"{folder}/index.html", layout.static_page(page))
        self._add(f"{folder}/{layout.PAGE_NAME}", layout.packed_page(page, held.origin, held.fetched_at))
        return True

    def _files(self, page: ProjectPage) -> None:
        paths = layout.paths_of(page)
        for file in page.files:
            if (path := paths.get(file.filename)) is None:
                raise BadExport(f"{file.url}: no path can stand for it")
            if self._urls.setdefault(path, file.url) != file.url:
                raise BadExport(f"{path}: there are two files for this path: {file.url}, {self._urls[path]}")
            self._copy(self._key(file), path)
            if file.core_metadata:
                self._copy(self._key(file, METADATA), path + METADATA)

    def _carry(self, file: DistributionFile) -> Carried | None:
        """Hash a file and its metadata; None for a file that is damaged."""
        sha256 = self._hash(self._key(file))
        if sha256 is None:
            return None
        entry = self._shelf.entry(self._key(file))
        metadata = self._hash(self._key(file, METADATA))  # the upstream's, or read out of the wheel
        return Carried(entry.size if entry else 0, sha256, metadata)

    def _key(self, file: DistributionFile, suffix: str = "") -> Key:
        return self._index.key(f"{self._index.local_path(file.url)}{suffix}")

    def _hash(self, key: Key) -> str | None:
        """Give the SHA-256 of what is stored if it is what was admitted."""
        entry = self._shelf.entry(key)
        blob = self._shelf.store.open(key)
        if entry is None or blob is None:
            return None
        promised = Digest(entry.digest)
        found, sha256 = digests.hasher(digests.algorithm_of(promised)), hashlib.sha256()
        with closing(blob):
            for chunk in chunks_of(blob, blob.size):
                found.update(chunk)
                sha256.update(chunk)
        if found.hexdigest() != digests.hex_of(promised):
            self.report.damaged.append(key)
            return None
        return sha256.hexdigest()

    def _copy(self, key: Key, path: str) -> None:
        blob = self._shelf.store.open(key)
        if blob is None:
            raise BadExport(f"{key}: went while it was being exported")
        with closing(blob):
            self._sink.add(path, blob.size, chunks_of(blob, blob.size))
            self.report.size += blob.size
        self.report.files += 1

    def _add(self, path: str, body: bytes) -> None:
        self._sink.add(path, len(body), [body])
