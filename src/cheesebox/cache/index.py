"""One package index as this cache sees it: where it is, how its links map to paths below the mount."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from cheesebox.cache.freshness import Policy
from cheesebox.errors import StoreError
from cheesebox.ports import Key
from cheesebox.simple import links
from cheesebox.simple.links import FileBase
from cheesebox.simple.paths import quote_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.ports import Catalogue
    from cheesebox.simple.links import Linker
    from cheesebox.simple.model import ProjectPage
    from cheesebox.simple.names import ProjectName
    from cheesebox.simple.paths import FilePath

log = logging.getLogger(__name__)

_PAGES_UP = "../../"


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What is set for one index. ``upstream`` is the root of a Simple API and ends in a slash."""

    name: str
    mount: str
    upstream: str
    upstream_files: str | None = None
    public_url: str | None = None
    rewrite_provenance: bool = False
    pages: Policy = field(default_factory=Policy)
    lists: Policy = field(default_factory=Policy)


class Index:
    """Maps between upstream URLs, paths below the mount and storage keys."""

    def __init__(self, options: IndexOptions, catalogue: Catalogue) -> None:
        self.options = options
        self.name = options.name
        self._catalogue = catalogue
        self._root = _site_root(options.upstream)
        self._file_base = self._recall_file_base()
        self._is_provisional = False

    def _recall_file_base(self) -> FileBase | None:
        if self.options.upstream_files:
            return FileBase(self.options.upstream_files)
        known = self._catalogue.fact(self._fact_name())
        return FileBase(known) if known else None

    def _fact_name(self) -> str:
        return f"file-base {self.name} {self.options.upstream}"

    @property
    def file_base(self) -> FileBase | None:
        """Where ``packages/`` leads; None until a page has told."""
        return self._file_base

    def learn(self, page: ProjectPage, *, is_foreign: bool = False) -> None:
        """Take the file base from the first page that tells it, and keep it over restarts. Blocks.

        What a page of another upstream tells holds only until one of this upstream tells better.
        """
        if self._file_base is not None and (is_foreign or not self._is_provisional):
            return
        if (base := links.learn_file_base(page)) is not None:
            self._file_base = base
            self._is_provisional = is_foreign
            if is_foreign:
                return
            try:
                self._catalogue.remember(self._fact_name(), base.url)
            except StoreError as error:
                log.error("the file base of %s is not written down: %s", self.name, error)

    def key(self, path: str) -> Key:
        """Give the storage key of a path below the mount."""
        return Key(f"{self.name}/{path}")

    def local_path(self, url: str) -> FilePath | None:
        """Give the path below the mount that stands for an upstream file."""
        return links.local_path(url, self._file_base)

    def upstream_url(self, path: FilePath) -> str | None:
        """Give the upstream URL of a ``packages/`` path; None while the file base is not known."""
        return links.upstream_url(path, self._file_base)

    def page_url(self, project: ProjectName) -> str:
        """Give the upstream URL of a project page."""
        return f"{self.options.upstream}{project}/"

    def site_url(self, path: str) -> str:
        """Give the URL of another endpoint of the upstream's site (legacy JSON, provenance)."""
        return f"{self._root}{quote(path)}"

    def page_links(self, below: str = "") -> Linker:
        """Build the links of a project page; ``below`` is the segment of its view, if it has one."""
        if self.options.public_url:
            return links.absolute_links(self._file_base, _joined(self.options.public_url, below))
        return links.relative_links(self._file_base, _PAGES_UP)

    def url_rewriter(self, depth: int, below: str = "") -> Callable[[str], str]:
        """Rewrite single file URLs in a document ``depth`` segments below the mount or view."""
        public = self.options.public_url
        prefix = f"{_joined(public, below)}/" if public else "../" * depth

        def rewrite(url: str) -> str:
            path = self.local_path(url)
            return url if path is None else prefix + quote_path(path)

        return rewrite

    def provenance_rewriter(self) -> Callable[[str], str] | None:
        """Rewrite provenance links to this mount: only where links are absolute and secure (PEP 740)."""
        public = self.options.public_url
        if not self.options.rewrite_provenance or not public or not public.startswith("https://"):
            return None
        ours, theirs = f"{public.rstrip('/')}/integrity/", f"{self._root}integrity/"
        return lambda url: ours + url.removeprefix(theirs) if url.startswith(theirs) else url


def _joined(public_url: str, below: str) -> str:
    return f"{public_url.rstrip('/')}/{below}".rstrip("/")


def _site_root(upstream: str) -> str:
    """Give what lies beside the Simple API: ``…/simple/`` is cut off, another root stays."""
    root = upstream.removesuffix("simple/")
    return root if urlsplit(root).netloc else upstream
