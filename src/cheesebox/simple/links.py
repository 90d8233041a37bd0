"""Where a file lies upstream, and where it lies below our mount.

Files of the index's own file base keep upstream's path, so that lock files can swap one prefix for
the other; files of any other host come to lie under ``files/<host>/``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from cheesebox.errors import InvalidPath
from cheesebox.simple.model import DistributionFile
from cheesebox.simple.paths import FilePath, parse_file_path, quote_path
from cheesebox.simple.urls import split_web_url

if TYPE_CHECKING:
    from cheesebox.simple.model import ProjectPage

Linker = Callable[[DistributionFile], str]
"""Tells the URL under which clients find a file."""

_PACKAGES = "packages/"
_PLAIN = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}")
"""A path that is its own canonical spelling: hashed, and with nothing to decode or to quote."""
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class FileBase:
    """The URL that upstream's own file URLs start with, such as ``https://files.example/packages/``.

    ``mirrors`` are those of the index's other mirrors: the same paths lie below each.
    """

    url: str
    mirrors: tuple[str, ...] = ()

    def start_of(self, url: str) -> str:
        """Give the base that a URL starts with, empty for a URL that lies elsewhere."""
        if url.startswith(self.url):
            return self.url
        return next((start for start in self.mirrors if url.startswith(start)), "")


def learn_file_base(page: ProjectPage) -> FileBase | None:
    """Find the base in the first link that has a ``packages`` folder in its path."""
    for file in page.files:
        address = split_web_url(file.url)
        if address and "/packages/" in address.path:
            folder = address.path.partition("/packages/")[0]
            return FileBase(f"{address.scheme}://{address.netloc}{folder}/packages/")
    return None


def local_path(url: str, base: FileBase | None) -> FilePath | None:
    """Give the path below the mount for an absolute file URL; query and fragment are dropped.

    ``None`` for a URL that no path can stand for.
    """
    # Nearly all links of a big page look like this one; the long way costs twenty times as much.
    if base is not None and url.startswith(base.url) and _PLAIN.fullmatch(url, len(base.url)):
        return FilePath(_PACKAGES + url[len(base.url) :])
    address = split_web_url(url)
    if address is None:
        return None
    plain = f"{address.scheme}://{address.netloc}{address.path}"
    if base is not None and (start := base.start_of(plain)):
        raw = _PACKAGES + plain[len(start) :]
    else:
        raw = f"files/{quote(address.netloc)}/{address.path}"
    try:
        # An upstream may write letters beyond ASCII as they are; what is encoded stays as it is.
        return parse_file_path(quote(raw, safe=_ASCII))
    except InvalidPath:
        return None


def upstream_url(path: FilePath, base: FileBase | None) -> str | None:
    """Give the URL for a path under ``packages/``: the inverse of `local_path` there."""
    if base is None or not path.startswith(_PACKAGES):
        return None
    return base.url + quote_path(FilePath(path.removeprefix(_PACKAGES)))


def relative_links(base: FileBase | None, up: str = "../../") -> Linker:
    """Link relative to the page, so that pages hold behind any host, scheme and prefix.

    ``up`` climbs from the page to the mount.
    """
    return _linker(base, up)


def absolute_links(base: FileBase | None, public_mount_url: str) -> Linker:
    """Link with the full URL of the mount, for clients that do not resolve relative links."""
    return _linker(base, public_mount_url.rstrip("/") + "/")


def _linker(base: FileBase | None, prefix: str) -> Linker:
    start = base.url if base else ""

    def link(file: DistributionFile) -> str:
        # As in `local_path`; and what is plain needs no quotes.
        if start and file.url.startswith(start) and _PLAIN.fullmatch(file.url, len(start)):
            return f"{prefix}{_PACKAGES}{file.url[len(start) :]}"
        path = local_path(file.url, base)
        return file.url if path is None else prefix + quote_path(path)

    return link
