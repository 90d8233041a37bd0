"""Takes an export into a cache: every file is verified before it is admitted.

Rules of this module:
1. A file is taken only if a page of the export names it, and by the digests that this page tells.
2. Pages come last, with the files that are there by then. A page that the cache has already is kept if
   it names them all; else it gains those that it lacks.
3. An imported page has expired: an upstream that answers is asked, one that does not lets it be served.
4. What is cached already is skipped, so that a broken import is simply started again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cheesebox.airgap import layout
from cheesebox.airgap.layout import JSON_TYPE, MARKER, METADATA, PAGE_NAME
from cheesebox.airgap.sources import Member, Refused
from cheesebox.cache import digests, envelope
from cheesebox.cache.blocking import to_the_end
from cheesebox.cache.digests import BLAKE2, Digest
from cheesebox.cache.downloads import head_of, matches
from cheesebox.cache.origins import Origin
from cheesebox.errors import BadExport, CheeseboxError, StoreFull
from cheesebox.ports import Entry, Kind
from cheesebox.simple.names import normalize
from cheesebox.simple.paths import FilePath, blake2_of
from cheesebox.simple.reading import read_project_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cheesebox.cache.index import Index
    from cheesebox.cache.shelf import Shelf
    from cheesebox.ports import Part
    from cheesebox.simple.model import DistributionFile, ProjectPage
    from cheesebox.simple.names import ProjectName

    Members = Callable[[], Iterator[Member | Refused]]

_PAGES = "simple/"
_FILES = ("packages/", "files/")
_LARGEST_MARKER = 1 << 16


@dataclass(slots=True)
class ImportReport:
    """What an import brought; sizes in bytes."""

    projects: int = 0
    files: int = 0
    cached: int = 0
    size: int = 0
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _ImportedPage:
    entry: Entry
    page: ProjectPage


class Import:
    """One import into one index. ``members`` gives the export's files, as often as it is called."""

    def __init__(self, index: Index, shelf: Shelf, members: Members, max_page_size: int) -> None:
        self._index = index
        self._shelf = shelf
        self._members = members
        self._max_page_size = max_page_size
        self._pages: dict[ProjectName, _ImportedPage] = {}
        self._named: dict[str, Origin] = {}
        self.report = ImportReport()

    async def run(self, track: Callable[[int], None]) -> ImportReport:
        """Import; ``track`` is told the bytes of each file that is done.

        Raises `BadExport` for what is no export, `StoreFull` when there is no room for it.
        """
        wanted = await self._shelf.blocking(self._read_pages)
        if wanted > self._shelf.room.limits.max_size:
            raise StoreFull(f"the export has {wanted} bytes of files, more than max_size")
        await self._shelf.blocking(self._learn)
        for member in self._members():
            if isinstance(member, Member) and member.path.startswith(_FILES):
                await self._file(member)
                track(member.size)
        for imported in self._pages.values():
            await self._page(imported)
        return self.report

    # ── pages ───────────────────────────────────────────────────────────────────────────────────

    def _read_pages(self) -> int:
        """Read all pages; gives the bytes of all files. Blocks."""
        is_export, size = False, 0
        for member in self._members():
            if isinstance(member, Refused):
                self.report.refused.append(member)
            elif member.path == MARKER:
                layout.check_marker(member.file.read(_LARGEST_MARKER))
                is_export = True
            elif member.path.startswith(_PAGES) and member.path.endswith(f"/{PAGE_NAME}"):
                self._read_page(member)
            elif member.path.startswith(_FILES):
                size += member.size
        if not is_export:
            raise BadExport(f"no export of a cache: it has no {MARKER}")
        return size

    def _read_page(self, member: Member) -> None:
        try:
            imported = _read(member, self._max_page_size)
        except CheeseboxError as error:
            self._refuse(member, str(error))
        else:
            self._pages[imported.page.name] = imported

    def _learn(self) -> None:
        """Learn from the pages where files lie, then which files they name."""
        upstreams = self._index.options.upstreams
        for imported in self._pages.values():
            origin = imported.entry.origin
            self._index.learn(imported.page, origin, is_foreign=not origin.startswith(upstreams))
        for imported in self._pages.values():
            paths = layout.paths_of(imported.page)
            for file in imported.page.files:
                if file.filename in paths:
                    self._name(paths[file.filename], file)

    def _name(self, path: str, file: DistributionFile) -> None:
        """Note what is verified by what: a path in the export is that of a file, or of its metadata."""
        if (origin := self._file_origin(file)) is not None:
            self._named[path] = origin
        if (origin := self._metadata_origin(file)) is not None:
            self._named[path + METADATA] = origin

    def _file_origin(self, file: DistributionFile) -> Origin | None:
        path = self._index.local_path(file.url)
        if path is None:
            return None
        return Origin(self._index.key(path), Kind.FILE, file.url, digests.strongest(file.hashes), file.size)

    def _metadata_origin(self, file: DistributionFile) -> Origin | None:
        path, told = self._index.local_path(file.url), file.core_metadata
        if path is None or isinstance(told, bool):
            return None
        key = self._index.key(f"{path}{METADATA}")
        return Origin(key, Kind.METADATA, f"{file.url}{METADATA}", digests.strongest(told))

    async def _page(self, imported: _ImportedPage) -> None:
        """Store a page, or what it adds to the one that is cached."""
        page, entry = imported.page, imported.entry
        page = layout.with_only(page, [file for file in page.files if self._is_cached(file)])
        if not page.files:
            return
        self.report.projects += 1
        key = self._index.key(f"simple/{page.name}.page")
        stored = await self._shelf.read_page(key)
        if stored is not None:
            known, body = stored
            older = read_project_page(body, known.content_type, known.location, page.name)
            page = layout.united(older, page)
            if page is older:
                return
            entry = known
        await self._write_page(replace(entry, key=key), page)

    async def _write_page(self, entry: Entry, page: ProjectPage) -> None:
        body = layout.page_body(page)
        now = self._shelf.clock()
        expired = now - self._index.options.pages.fresh_for
        entry = replace(
            entry,
            kind=Kind.PAGE,
            digest=envelope.digest_of(body),
            content_type=JSON_TYPE,
            etag="",  # it is not the body that the upstream's validator and serial are of
            last_modified="",
            serial=None,
            fetched_at=expired,
            validated_at=expired,
            last_used=now,
        )
        await self._shelf.write_page(entry, body)

    def _is_cached(self, file: DistributionFile) -> bool:
        return self._index.stores(file.url, "")

    # ── files ───────────────────────────────────────────────────────────────────────────────────

    async def _file(self, member: Member) -> None:
        origin = self._named.get(member.path)
        if origin is None or origin.digest is None:
            self._refuse(member, "no page of the export names it with a digest")
        elif await self._shelf.probe(origin.key) is not None:
            self.report.cached += 1
        elif await self._admitted(member, origin, origin.digest):
            self.report.files += 1
            self.report.size += member.size
        else:
            self._refuse(member, f"its digest is not {origin.digest}")

    def _refuse(self, member: Member, reason: str) -> None:
        self.report.refused.append(Refused(member.path, reason))

    async def _admitted(self, member: Member, origin: Origin, digest: Digest) -> bool:
        """Write a file and admit it if it is the one that the page means."""
        shelf, part = self._shelf, None
        reservation = shelf.room.reserve()
        try:
            await reservation.extend(member.size)
            part = await shelf.blocking(shelf.store.begin, origin.key)
            await to_the_end(shelf.blocking(_fill, part, member))
            if not await shelf.blocking(matches, part, part.size, digest):
                return False
            known = await shelf.blocking(_digest_of_its_path, part, origin, digest)
            await shelf.admit(part, self._entry(origin, known, part.size), reservation)
        finally:
            if part is not None:
                part.discard()
                part.close()
            reservation.release()
        return True

    def _entry(self, origin: Origin, digest: Digest, size: int) -> Entry:
        now = self._shelf.clock()
        etag = head_of(replace(origin, digest=digest), size, "", "").etag
        return Entry(
            origin.key,
            origin.kind,
            size,
            digest,
            origin.url,
            etag=etag,
            fetched_at=now,
            validated_at=now,
            last_used=now,
        )


def _read(member: Member, largest: int) -> _ImportedPage:
    if member.size > largest:
        raise BadExport("larger than max_page_size")
    found = envelope.unpack(member.file.read(member.size))
    if found is None:
        raise BadExport("damaged: its digest is another one")
    entry, body = found
    project = normalize(member.path.split("/")[1])
    return _ImportedPage(entry, read_project_page(body, JSON_TYPE, entry.location, project))


def _fill(part: Part, member: Member) -> None:
    for chunk in member.chunks():
        part.append([chunk])


def _digest_of_its_path(part: Part, origin: Origin, digest: Digest) -> Digest:
    """Give the digest that a download would be known by: the same entity tag, wherever it came from."""
    blake2 = blake2_of(FilePath(origin.key.partition("/")[2]))
    promised = digests.of(BLAKE2, blake2) if blake2 else None
    return promised if promised is not None and matches(part, part.size, promised) else digest
