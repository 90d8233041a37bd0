"""An index made of a local directory: pages, project list and files, straight from where they lie.

Nothing of it is copied into the cache. The directory is looked at when somebody asks, at most once a
second; a file's digest and metadata are read once for each size and time of change.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Protocol

from cheesebox.cache.copies import Answered, StoredCopy
from cheesebox.cache.files import BytesFile, StoredFile
from cheesebox.cache.flights import Flights
from cheesebox.cache.freshness import Verdict
from cheesebox.cache.made_lists import API, MadeList, list_body
from cheesebox.cache.sources import Found
from cheesebox.cache.views import utc
from cheesebox.errors import FileWithheld, NotFound
from cheesebox.ports import Entry, Key, Kind
from cheesebox.simple.model import DistributionFile, ProjectPage
from cheesebox.simple.names import ProjectName, project_of, version_of
from cheesebox.simple.paths import FilePath, filename_of, quote_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cheesebox.cache.files import OpenFile, Want
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.lists import Listing
    from cheesebox.cache.pages import PageAnswer
    from cheesebox.cache.representations import Representation
    from cheesebox.cache.shelf import Shelf
    from cheesebox.cache.sources import Absence
    from cheesebox.ports import Blob
    from cheesebox.simple.links import Linker
    from cheesebox.simple.negotiation import Coding, Format
    from cheesebox.simple.policies import View

_LOOK_EVERY = 1.0
_PACKAGES = "packages/"
_METADATA = ".metadata"


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file as it was seen: ``path`` below the directory, size in bytes, time of change, inode."""

    path: str
    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of itself: SHA-256 in hex; for wheels core metadata and supported Pythons."""

    sha256: str
    metadata: bytes | None = None
    requires_python: str | None = None


class Tree(Protocol):
    """The directory. All calls block."""

    def scan(self) -> tuple[FolderFile, ...]:
        """Give all distribution files, sorted by path; raises `StoreError`."""
        ...

    def open(self, file: FolderFile) -> Blob | None:
        """Open the very file that was seen; None when it is gone or another one now."""
        ...

    def describe(self, file: FolderFile) -> Facts | None:
        """Read what is to be said of a file; None when it is gone, or no whole distribution."""
        ...


class Snapshot:
    """The directory as it was at one time."""

    def __init__(self, files: Iterable[FolderFile], seen_at: float) -> None:
        self.seen_at = seen_at
        self.by_path: dict[str, FolderFile] = {}
        self.projects: dict[ProjectName, dict[str, FolderFile]] = {}
        for file in files:
            filename = file.path.rpartition("/")[2]
            project = project_of(filename)
            if project is not None:
                self.by_path[file.path] = file
                self.projects.setdefault(project, {}).setdefault(filename, file)


class FolderLease:
    """Holds until the directory has to be looked at again."""

    def __init__(self, folder: Folder, snapshot: Snapshot) -> None:
        self._folder = folder
        self._snapshot = snapshot

    def remaining(self) -> int | None:
        """Give 0, or None when the directory has to be looked at."""
        return 0 if self._folder.is_current(self._snapshot) else None

    def terms(self) -> None:
        """Who is elsewhere does not look at the directory."""


class Folder:
    """One directory. Its pages may be shown below several mounts (`FolderSource`)."""

    def __init__(self, name: str, tree: Tree, shelf: Shelf, tasks: Tasks) -> None:
        self.name = name
        self._tree = tree
        self.shelf = shelf
        self._snapshot = Snapshot((), float("-inf"))
        self._facts: dict[FolderFile, Facts | None] = {}
        self._looks: Flights[Snapshot] = Flights(tasks)
        self._readings: Flights[Facts | None] = Flights(tasks)

    def is_current(self, snapshot: Snapshot) -> bool:
        """Tell whether a snapshot still stands for the directory."""
        return snapshot is self._snapshot and 0 <= self.shelf.clock() - snapshot.seen_at < _LOOK_EVERY

    async def look(self) -> Snapshot:
        """Give the directory as it is; raises `StoreError`."""
        if self.is_current(self._snapshot):
            return self._snapshot
        return await asyncio.shield(self._looks.join("look", self._look))

    async def _look(self) -> Snapshot:
        now = self.shelf.clock()
        self._snapshot = Snapshot(await self.shelf.blocking(self._tree.scan), now)
        seen = set(self._snapshot.by_path.values())
        self._facts = {file: facts for file, facts in self._facts.items() if file in seen}
        return self._snapshot

    async def facts(self, file: FolderFile) -> Facts | None:
        """Give what a file says of itself, read once."""
        if file in self._facts:
            return self._facts[file]
        return await asyncio.shield(self._readings.join(repr(file), lambda: self._read(file)))

    async def _read(self, file: FolderFile) -> Facts | None:
        facts = self._facts[file] = await self.shelf.blocking(self._tree.describe, file)
        return facts

    async def project(self, project: ProjectName) -> tuple[Snapshot, dict[FolderFile, Facts]]:
        """Give the files of a project; raises `NotFound`."""
        snapshot = await self.look()
        files = list(snapshot.projects.get(project, {}).values())
        facts = await asyncio.gather(*map(self.facts, files))
        whole = {file: known for file, known in zip(files, facts, strict=True) if known is not None}
        if not whole:
            raise NotFound(f"{self.name} has no {project}")
        return snapshot, whole

    def answered(self, snapshot: Snapshot, path: str) -> Answered:
        """Tell how an answer came about that was read from the directory."""
        now = snapshot.seen_at
        entry = Entry(Key(f"{self.name}/{path}"), Kind.PAGE, 0, "", "", fetched_at=now, validated_at=now)
        return Answered(StoredCopy(entry, b""), Verdict.HIT, 0, FolderLease(self, snapshot))

    async def open(self, path: FilePath, want: Want) -> OpenFile:  # noqa: ARG002 - as of any source
        """Open a file or the metadata of a wheel; raises `NotFound`."""
        snapshot = await self.look()
        below = path.removeprefix(_PACKAGES) if path.startswith(_PACKAGES) else ""
        file = snapshot.by_path.get(below.removesuffix(_METADATA))
        facts = None if file is None else await self.facts(file)
        if file is None or facts is None:
            raise NotFound(f"{self.name} has no {path}")
        lease = FolderLease(self, snapshot)
        if below.endswith(_METADATA):
            if facts.metadata is None:
                raise NotFound(f"{self.name} has no {path}")
            return BytesFile(facts.metadata, _digest(facts.metadata))
        blob = await self.shelf.blocking(self._tree.open, file)
        if blob is None:
            raise NotFound(f"{self.name}: {path} changed while it was opened")
        entry = Entry(
            Key(f"{self.name}/{path}"),
            Kind.FILE,
            file.size,
            f"sha256:{facts.sha256}",
            "",
            etag=f'"{facts.sha256}"',
            last_modified=formatdate(file.mtime_ns / 1e9, usegmt=True),
        )
        return LocalFile(entry, blob, self.shelf, lease)


class LocalFile(StoredFile):
    """A file that is served from where it lies."""

    def __init__(self, entry: Entry, blob: Blob, shelf: Shelf, lease: FolderLease) -> None:
        super().__init__(entry, blob, shelf)
        self._lease = lease

    def lease(self) -> FolderLease:  # type: ignore[override]  # it holds as long as another thing holds
        """Tell how long these bytes may be served from memory."""
        return self._lease


class FolderSource:
    """A folder as it is shown below one mount.

    ``prefix`` gives what leads from its pages to its paths, for the name of a view.
    """

    def __init__(self, folder: Folder, prefix: Callable[[str], str]) -> None:
        self.name = folder.name
        self.open = folder.open
        self._folder = folder
        self._prefix = prefix

    async def find(self, project: ProjectName, view: View, *, refresh: bool = False) -> Found:  # noqa: ARG002
        """Find a project's page; raises `NotFound`."""
        snapshot, facts = await self._folder.project(project)
        answered = self._folder.answered(snapshot, f"simple/{project}")
        now = utc(self._folder.shelf.clock())

        def linker() -> Linker:
            prefix = self._prefix(view.name)
            return lambda file: prefix + file.url

        made_of = (*facts, view.rules)
        return Found(answered, made_of, lambda: view.show(page_of(project, facts), now), linker)

    async def clear(self, path: FilePath, view: View) -> None:
        """Raise `FileWithheld` for a file that the page of its project does not show in a view."""
        project = project_of(filename_of(path))
        if not view.is_plain and project is not None:
            await self.clear_named(project, filename_of(path).removesuffix(_METADATA), view)

    async def clear_named(self, project: ProjectName, filename: str, view: View) -> None:
        """Do the same for a file by its name."""
        if view.is_plain:
            return
        found = await self.find(project, view)
        page = await self._folder.shelf.blocking(found.read)
        if filename not in {file.filename for file in page.files}:
            raise FileWithheld(f"{filename} is withheld: the page of {project} does not name it")

    async def clear_project(self, project: ProjectName) -> None:
        """Nothing withholds a whole project."""

    def absence(self, project: ProjectName) -> Absence | None:  # noqa: ARG002 - as of any source
        """Nothing is remembered: looking costs little."""
        return None

    async def legacy_json(self, *_asked: object, **_how: object) -> PageAnswer:
        """Raise `NotFound`: a directory has no such documents."""
        raise NotFound(f"{self.name} has no JSON API")

    async def provenance(self, *_asked: object, **_how: object) -> PageAnswer:
        """Raise `NotFound`: a directory has no such documents."""
        raise NotFound(f"{self.name} has no attestations")


class FolderLists:
    """The project list of a folder."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    async def get(
        self,
        form: Format,
        coding: Coding,
        *,
        refresh: bool = False,  # noqa: ARG002 - it is always fresh
    ) -> tuple[Representation, Answered]:
        """Give the list."""
        return await (await self._made()).represent(form, coding)

    async def listing(self, *, refresh: bool = False) -> Listing:  # noqa: ARG002 - it is always fresh
        """Give the list as a source of a merged one."""
        return (await self._made()).listing()

    async def _made(self) -> MadeList:
        snapshot = await self._folder.look()
        answered = self._folder.answered(snapshot, "simple")
        return MadeList(answered, list_body(snapshot.projects), self._folder.shelf.blocking)


def page_of(project: ProjectName, facts: Mapping[FolderFile, Facts]) -> ProjectPage:
    """Make the page of a project; ``url`` of its files is relative to the mount."""
    files = [_listed(file, known) for file, known in facts.items()]
    versions = {version for file in files if (version := version_of(file.filename)) is not None}
    document = {"meta": API, "name": project, "versions": [str(version) for version in sorted(versions)]}
    return ProjectPage(project, document, tuple(files), len(document))


def _listed(file: FolderFile, facts: Facts) -> DistributionFile:
    raw: dict[str, Any] = {
        "filename": file.path.rpartition("/")[2],
        "hashes": {"sha256": facts.sha256},
        "size": file.size,
        "upload-time": datetime.fromtimestamp(file.mtime_ns / 1e9, UTC).isoformat().replace("+00:00", "Z"),
    }
    if facts.requires_python:
        raw["requires-python"] = facts.requires_python
    if facts.metadata is not None:
        raw["core-metadata"] = {"sha256": _digest(facts.metadata)}
    return DistributionFile(raw, _PACKAGES + quote_path(FilePath(file.path)))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
