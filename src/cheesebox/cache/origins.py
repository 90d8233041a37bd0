"""Where a file comes from and how its bytes are told from wrong ones.

A file whose path carries its BLAKE2b-256 digest needs no page. Every other file is served only if a
page of this index names it, and is verified by what the page says. So there is no open proxy: a host
that no page named is never asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.cache import digests
from cheesebox.cache.digests import BLAKE2, Digest
from cheesebox.errors import NotFound
from cheesebox.ports import Key, Kind
from cheesebox.simple.names import project_of
from cheesebox.simple.paths import FilePath, blake2_of, filename_of, wheel_of

if TYPE_CHECKING:
    from cheesebox.cache.index import Index
    from cheesebox.cache.mirrors import Mirrored
    from cheesebox.cache.pages import Pages
    from cheesebox.simple.model import DistributionFile, ProjectPage
    from cheesebox.simple.names import ProjectName

_METADATA = ".metadata"


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a file before its first byte: ``size`` in bytes, ``digest`` to verify by."""

    key: Key
    kind: Kind
    url: str
    digest: Digest | None
    size: int | None = None
    mirrored: Mirrored | None = None
    """The same file at each mirror of its index, when it has more than one."""


class LinkTable:
    """The files that one page names, by their path below the mount."""

    def __init__(self, page: ProjectPage, index: Index) -> None:
        self._by_path: dict[FilePath, DistributionFile] = {}
        self._by_name: dict[str, FilePath] = {}
        self.page = page.with_files(())
        """The page without its files."""
        for file in page.files:
            path = index.local_path(file.url)
            if path is not None:
                self._by_path[path] = file
                self._by_name[file.filename] = path

    def file(self, path: FilePath) -> DistributionFile | None:
        """Give the file at this path."""
        return self._by_path.get(path)

    def path_of(self, filename: str) -> FilePath | None:
        """Give the path of the file with this name."""
        return self._by_name.get(filename)

    def resolve(self, path: FilePath) -> FilePath | None:
        """Give the path that the page has for a file, which old links name in another way.

        Old links (``packages/source/s/six/six-1.0.tar.gz``) name a file without its digest.
        """
        if path in self._by_path:
            return path
        is_old = path.startswith("packages/") and blake2_of(path) is None
        return self.path_of(filename_of(path)) if is_old else None

    def __len__(self) -> int:
        return len(self._by_path)


class Origins:
    """Finds the origin of a path in one index."""

    def __init__(self, index: Index, pages: Pages) -> None:
        self._index = index
        self._pages = pages

    async def find(self, path: FilePath) -> Origin:
        """Give the origin.

        Raises `NotFound` when no page names the file, `UpstreamError` when the page that would tell
        cannot be had.
        """
        wheel = wheel_of(path)
        if wheel is not None:
            return await self._metadata(path, wheel)
        blake2 = blake2_of(path)
        url = self._index.upstream_url(path)
        if blake2 is not None and url is not None:
            return self._origin(path, Kind.FILE, url, digests.of(BLAKE2, blake2))
        return await self._named(path)

    async def by_page(self, path: FilePath) -> Digest | None:
        """Give the digest that the page tells, for a file whose path digest did not match.

        A few objects from before 2017 lie under a path that is not their digest.
        """
        table = await self._table(path)
        file = table.file(path)
        return None if file is None else digests.strongest(file.hashes)

    async def _named(self, path: FilePath) -> Origin:
        for refresh in (False, True):
            table = await self._table(path, refresh=refresh)
            found = table.resolve(path)
            file = table.file(found) if found is not None else None
            if file is not None and found is not None:
                blake2 = blake2_of(found)
                digest = digests.of(BLAKE2, blake2) if blake2 else digests.strongest(file.hashes)
                return self._origin(found, Kind.FILE, file.url, digest, file.size)
        raise NotFound(f"no page of this index names {path}")

    async def _metadata(self, path: FilePath, wheel: FilePath) -> Origin:
        table = await self._table(wheel)
        file = table.file(wheel)
        if file is None:
            table = await self._table(wheel, refresh=True)
            file = table.file(wheel)
        if file is None or not file.core_metadata:
            raise NotFound(f"no page of this index tells of metadata for {filename_of(wheel)}")
        hashes = file.core_metadata if not isinstance(file.core_metadata, bool) else {}
        return self._origin(path, Kind.METADATA, file.url + _METADATA, digests.strongest(hashes))

    async def _table(self, path: FilePath, *, refresh: bool = False) -> LinkTable:
        project = self._project_of(path)
        return await self._pages.links(project, refresh=refresh)

    @staticmethod
    def _project_of(path: FilePath) -> ProjectName:
        project = project_of(filename_of(path))
        if project is None:
            raise NotFound(f"{filename_of(path)} names no project")
        return project

    def _origin(
        self, path: FilePath, kind: Kind, url: str, digest: Digest | None, size: int | None = None
    ) -> Origin:
        # Bytes of another mirror are taken only where a digest tells whether they are the right ones.
        mirrored = self._index.mirrored_file(path) if digest is not None else None
        return Origin(self._index.key(path), kind, url, digest, size, mirrored)
