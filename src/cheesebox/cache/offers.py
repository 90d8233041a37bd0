"""Core metadata that the pages of one index offer for wheels whose upstream has none (PEP 658).

Rules of this module:
1. Offered is only what can be asked for here: wheels under their own project's name, on our paths.
2. A wheel that turned out to have no readable metadata is remembered by what it is, over restarts,
   and never offered again. ``state`` changes with it: it belongs in the name of all that is made of
   a page.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from cheesebox.errors import StoreError
from cheesebox.simple.model import LEGACY_CORE_METADATA_KEYS
from cheesebox.simple.names import canonical_spelling
from cheesebox.simple.paths import filename_of, metadata_of

if TYPE_CHECKING:
    from cheesebox.cache.index import Index
    from cheesebox.ports import Catalogue
    from cheesebox.simple.model import DistributionFile, ProjectPage
    from cheesebox.simple.names import ProjectName
    from cheesebox.simple.paths import FilePath

log = logging.getLogger(__name__)

_WHEEL = ".whl"
_REMEMBERED = 10_000
"""Unreadable wheels that are remembered, the last ones; on the public index there are few."""


class Offers:
    """Says for which files of an index metadata is offered; ``is_on`` is the setting."""

    def __init__(self, index: Index, catalogue: Catalogue, *, is_on: bool) -> None:
        self.is_on = is_on
        self.state = 0
        self._index = index
        self._catalogue = catalogue
        self._fact = f"unreadable {index.name}"
        known = (catalogue.fact(self._fact) or "").split("\n") if is_on else []
        self._unreadable = dict.fromkeys(filter(None, known))

    def advertise(self, page: ProjectPage) -> ProjectPage:
        """Give the page with metadata advertised for every wheel that it can be read from."""
        if not self.is_on:
            return page
        return page.with_files(_advertised(f) if self._is_offered(page, f) else f for f in page.files)

    def _is_offered(self, page: ProjectPage, file: DistributionFile) -> bool:
        if file.core_metadata or not file.filename.endswith(_WHEEL) or self.is_unreadable(file):
            return False
        path = self._index.local_path(file.url)
        return path is not None and path.endswith(_WHEEL) and _is_found(path, page.name)

    def is_unreadable(self, file: DistributionFile) -> bool:
        """Tell whether a wheel turned out to have no readable metadata."""
        return bool(self._unreadable) and _identity(file) in self._unreadable

    def withdraw(self, file: DistributionFile) -> None:
        """Offer the metadata of a wheel no more. Blocks."""
        # A new dict: others read the old one meanwhile.
        remembered = [*self._unreadable, _identity(file)][-_REMEMBERED:]
        self._unreadable = dict.fromkeys(remembered)
        self.state += 1
        try:
            self._catalogue.remember(self._fact, "\n".join(self._unreadable))
        except StoreError as error:
            log.error("%s: that it has no metadata is not written down: %s", file.filename, error)


def _is_found(path: FilePath, project: ProjectName) -> bool:
    """Tell whether a request for the metadata of a wheel would find the page that names the wheel.

    The first dash of a wheel's name ends its project (binary distribution format).
    """
    project_as_written = filename_of(path).partition("-")[0]
    return canonical_spelling(project_as_written) == project and metadata_of(path) is not None


def _identity(file: DistributionFile) -> str:
    return file.sha256 or file.url


def _advertised(file: DistributionFile) -> DistributionFile:
    """Advertise without a digest: nobody has read the metadata yet. An alias follows (PEP 714)."""
    aliases = {key: True for key in LEGACY_CORE_METADATA_KEYS if key in file.raw}
    return replace(file, raw={**file.raw, "core-metadata": True, **aliases})
