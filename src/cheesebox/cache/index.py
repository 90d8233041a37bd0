"""One package index as this cache sees it: where it is, how its links map to paths below the mount."""

from __future__ import annotations

import copy
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from cheesebox.cache.copies import GONE
from cheesebox.cache.freshness import Policy
from cheesebox.cache.mirrors import Mirrored, Mirrors
from cheesebox.errors import StoreError
from cheesebox.ports import Key
from cheesebox.simple import links
from cheesebox.simple.links import FileBase
from cheesebox.simple.paths import FilePath, quote_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cheesebox.ports import Catalogue, Clock
    from cheesebox.simple.links import Linker
    from cheesebox.simple.model import ProjectPage
    from cheesebox.simple.names import ProjectName

log = logging.getLogger(__name__)

_PAGES_DEPTH = 2


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
    mirrors: tuple[str, ...] = ()
    """Roots of further mirrors, asked when ``upstream`` fails."""
    missing_on_403: bool = False
    below: str = ""
    """What comes between the mount and the paths of this index, such as ``sources/pypi/``."""

    @property
    def upstreams(self) -> tuple[str, ...]:
        """All mirrors, in the order in which they are asked."""
        return (self.upstream, *self.mirrors)


class Index:
    """Maps between upstream URLs, paths below the mount and storage keys."""

    def __init__(self, options: IndexOptions, catalogue: Catalogue, clock: Clock = time.time) -> None:
        self.options = options
        self.name = options.name
        self._catalogue = catalogue
        self._roots = tuple(map(_site_root, options.upstreams))
        self._root = self._roots[0]
        self._file_bases = [self._recall_file_base(upstream) for upstream in options.upstreams]
        self._provisional: list[str] = []
        # The hosts of pages and files fare apart from each other, even where they are the same.
        self._page_mirrors = Mirrors(len(self._roots), options.pages, clock)
        self._file_mirrors = Mirrors(len(self._roots), options.pages, clock)

    def _recall_file_base(self, upstream: str) -> str | None:
        if self.options.upstream_files and upstream == self.options.upstream:
            return self.options.upstream_files
        return self._catalogue.fact(self._fact_name(upstream))

    def _fact_name(self, upstream: str) -> str:
        return f"file-base {self.name} {upstream}"

    @property
    def file_base(self) -> FileBase | None:
        """Where ``packages/`` leads; None until a page has told."""
        known = [base for base in self._file_bases if base] or self._provisional
        return FileBase(known[0], tuple(known[1:])) if known else None

    def learn(self, page: ProjectPage, origin: str, *, is_foreign: bool = False) -> None:
        """Take the file base from the first page of a mirror that tells it, and keep it. Blocks.

        ``origin`` is the URL of the page. What a page of another upstream tells (``is_foreign``) holds
        only until one of this upstream tells better.
        """
        upstreams = self.options.upstreams
        if is_foreign:
            if not self._provisional and (foreign := links.learn_file_base(page)) is not None:
                self._provisional.append(foreign.url)
            return
        number = _position(upstreams, origin)
        if number is None:
            return
        if self._file_bases[number] is None and (base := links.learn_file_base(page)) is not None:
            self._file_bases[number] = base.url
            try:
                self._catalogue.remember(self._fact_name(upstreams[number]), base.url)
            except StoreError as error:
                log.error("the file base of %s is not written down: %s", self.name, error)

    def mirrored_page(self, path: str) -> Mirrored | None:
        """Give the URLs of a page below the roots of all mirrors, None when there is one only."""
        return self._mirrored([upstream + path for upstream in self.options.upstreams], self._page_mirrors)

    def mirrored_site(self, path: str) -> Mirrored | None:
        """Give the URLs of another endpoint at all mirrors."""
        return self._mirrored([root + quote(path) for root in self._roots], self._page_mirrors)

    def mirrored_file(self, path: FilePath) -> Mirrored | None:
        """Give the URLs of a ``packages/`` path at all mirrors.

        For what is verified by a digest only: the base of a mirror whose pages have not been seen yet
        is a guess.
        """
        if not path.startswith("packages/"):
            return None
        below = quote_path(FilePath(path.removeprefix("packages/")))
        both = zip(self._file_bases, self._roots, strict=True)
        urls = [(base or f"{root}packages/") + below for base, root in both]
        return self._mirrored(urls, self._file_mirrors)

    @staticmethod
    def _mirrored(urls: list[str], mirrors: Mirrors) -> Mirrored | None:
        return Mirrored(tuple(urls), mirrors) if len(urls) > 1 else None

    @property
    def missing(self) -> frozenset[int]:
        """Statuses by which this upstream says that there is no such page."""
        return GONE | {403} if self.options.missing_on_403 else GONE

    def key(self, path: str) -> Key:
        """Give the storage key of a path below the mount."""
        return Key(f"{self.name}/{path}")

    @property
    def stored_state(self) -> tuple[int, int]:
        """Name the state of what is stored: as long as it is the same, so is what `stores` tells."""
        return self._catalogue.admissions, self._catalogue.removals

    def stores(self, url: str, suffix: str = "") -> bool:
        """Tell whether an upstream file, or what lies beside it, is stored. Blocks."""
        path = self.local_path(url)
        return path is not None and self._catalogue.get(self.key(path + suffix)) is not None

    def forgive(self) -> None:
        """Forget the failures of all mirrors."""
        self._page_mirrors.forgive()
        self._file_mirrors.forgive()

    def local_path(self, url: str) -> FilePath | None:
        """Give the path below the mount that stands for an upstream file."""
        return links.local_path(url, self.file_base)

    def upstream_url(self, path: FilePath) -> str | None:
        """Give the upstream URL of a ``packages/`` path; None while the file base is not known."""
        return links.upstream_url(path, self.file_base)

    def page_url(self, project: ProjectName) -> str:
        """Give the upstream URL of a project page."""
        return f"{self.options.upstream}{project}/"

    def site_url(self, path: str) -> str:
        """Give the URL of another endpoint of the upstream's site (legacy JSON, provenance)."""
        return f"{self._root}{quote(path)}"

    def page_links(self, below: str = "") -> Linker:
        """Build the links of a project page; ``below`` is the segment of its view, if it has one."""
        if self.options.public_url:
            return links.absolute_links(self.file_base, self._prefix(0, below))
        return links.relative_links(self.file_base, self._prefix(_PAGES_DEPTH, below))

    def url_rewriter(self, depth: int, below: str = "") -> Callable[[str], str]:
        """Rewrite single file URLs in a document ``depth`` segments below the mount or view."""
        prefix = self._prefix(depth, below)

        def rewrite(url: str) -> str:
            path = self.local_path(url)
            return url if path is None else prefix + quote_path(path)

        return rewrite

    @property
    def links_lead(self) -> str:
        """Tell apart where links lead to: below which public URL, and below what in its mount."""
        return f"{self.options.public_url or ''} {self.options.below}"

    def shown(self, mount: str, public_url: str | None, below: str) -> Index:
        """Give the same index as it is shown below another mount; both learn together."""
        other = copy.copy(self)
        other.options = replace(self.options, mount=mount, public_url=public_url, below=below)
        return other

    def _prefix(self, depth: int, view: str = "") -> str:
        return links_prefix(self.options.public_url, view, self.options.below, depth)

    def provenance_rewriter(self) -> Callable[[str], str] | None:
        """Rewrite provenance links to this mount: only where links are absolute and secure (PEP 740)."""
        public = self.options.public_url
        if not self.options.rewrite_provenance or not public or not public.startswith("https://"):
            return None
        ours, theirs = f"{self._prefix(0)}integrity/", f"{self._root}integrity/"
        return lambda url: ours + url.removeprefix(theirs) if url.startswith(theirs) else url


def links_prefix(public_url: str | None, view: str, below: str, depth: int) -> str:
    """Give what leads from a document to the paths of an index.

    The document lies ``depth`` segments below a mount, or below a view of it (its segment, or empty).
    """
    if not public_url:
        return "../" * depth + below
    return f"{public_url.rstrip('/')}/" + (f"{view}/" if view else "") + below


def _position(upstreams: Sequence[str], origin: str) -> int | None:
    """Tell which mirror a URL belongs to."""
    if len(upstreams) == 1:
        return 0
    return next((number for number, root in enumerate(upstreams) if origin.startswith(root)), None)


def _site_root(upstream: str) -> str:
    """Give what lies beside the Simple API: ``…/simple/`` is cut off, another root stays."""
    root = upstream.removesuffix("simple/")
    return root if urlsplit(root).netloc else upstream
