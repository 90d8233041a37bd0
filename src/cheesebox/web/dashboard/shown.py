"""What the pages show of the models: grouped, judged, put into words. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from cheesebox.web.dashboard import figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cheesebox.web.models import Host, Listing, Overview, Project, Storage, Stored, WithheldRow

ENGINES = {"register": "register", "storage": "object storage"}
"""Engines that nodes share, as people call them."""

_FAILING = 3
_COMPANION = ".metadata"
_MOST_WITHHELD = 200


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that whoever looks should know first; ``level`` is ``bad`` or ``warn``."""

    level: str
    text: str


def alerts(overview: Overview) -> list[Alert]:
    """Tell what is not as it should be."""
    found = []
    if overview.is_offline:
        found.append(Alert("warn", "Offline: no upstream is asked, only what is cached is served."))
    for host in overview.upstreams:
        if state_of(host) == "failing":
            times = figures.counted(host.failures_in_a_row, "time")
            found.append(Alert("bad", f"{host.host} failed {times} in a row: {host.last_error}"))
    for engine in overview.nodes.engines if overview.nodes else ():
        if engine.trouble:
            text = f"The {ENGINES[engine.name]} fails, this node goes on by itself: {engine.trouble}"
            found.append(Alert("bad", text))
    if overview.storage.free < overview.storage.min_free:
        left = figures.size(max(0, overview.storage.free))
        found.append(Alert("bad", f"The disk is nearly full: {left} left, so nothing more is kept."))
    return found


def state_of(host: Host) -> str:
    """Name how a host fares, in one word."""
    if host.failures_in_a_row >= _FAILING:
        return "failing"
    if host.failures_in_a_row:
        return "unsteady"
    return "well" if host.succeeded_at else "not asked"


@dataclass(frozen=True, slots=True)
class Fill:
    """How full the cache is, in percent of the limit; parts add up to 100 at most."""

    stored: float
    reserved: float
    share: float | None
    says: str


def fill_of(storage: Storage) -> Fill:
    """Tell how full the cache is; without a limit the disk is one."""
    limit = storage.max_size or storage.size + max(0, storage.free)
    if not limit:
        return Fill(0, 0, None, "Nothing can be stored.")
    stored = min(storage.size / limit, 1)
    reserved = min(storage.reserved / limit, 1 - stored)
    says = (
        f"{figures.size(storage.size)} stored and {figures.size(storage.reserved)} reserved "
        f"of {figures.size(limit)}"
    )
    return Fill(round(stored * 100, 2), round(reserved * 100, 2), storage.size / limit, says)


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A distribution file, and whether its core metadata is stored too. ``file`` is None if only that is."""

    name: str
    file: Stored | None
    metadata: Stored | None
    withheld: WithheldRow | None


@dataclass(frozen=True, slots=True)
class Release:
    """What is stored of one version; ``version`` is empty where the names tell none."""

    version: str
    files: list[CachedFile]

    @property
    def size(self) -> int:
        """Sum up the files."""
        return sum(each.size for row in self.files for each in (row.file, row.metadata) if each is not None)


@dataclass(frozen=True, slots=True)
class Held:
    """What one index has of a project: its page as it is cached, other documents, versions newest first."""

    index: str
    listing: Listing | None
    documents: list[Stored]
    releases: list[Release]
    withheld: list[WithheldRow]
    """Withheld files; the first `_MOST_WITHHELD` of them."""


@dataclass(frozen=True, slots=True)
class ProjectSums:
    """Sums over all that is stored of a project."""

    files: int
    versions: int
    size: int
    hits: int
    last_used: float


def held(project: Project, listings: Iterable[Listing]) -> list[Held]:
    """Group what is stored of a project by index and version."""
    by_index: dict[str, list[Stored]] = defaultdict(list)
    for stored in project.objects:
        by_index[stored.index].append(stored)
    listed = {listing.index: listing for listing in listings}
    return [_held(index, by_index[index], listed.get(index)) for index in sorted({*by_index, *listed})]


def _held(index: str, objects: Sequence[Stored], listing: Listing | None) -> Held:
    withheld = {row.filename: row for row in listing.withheld} if listing else {}
    documents = [stored for stored in objects if stored.kind not in ("file", "metadata")]
    files = {stored.filename: stored for stored in objects if stored.kind == "file"}
    metadata = {s.filename.removesuffix(_COMPANION): s for s in objects if s.kind == "metadata"}
    versions: dict[str, list[CachedFile]] = defaultdict(list)
    for name in sorted({*files, *metadata}):
        row = CachedFile(name, files.get(name), metadata.get(name), withheld.get(name))
        stored = row.file or row.metadata
        versions[(stored and stored.version) or ""].append(row)
    releases = [Release(version, versions[version]) for version in sorted(versions, key=_rank, reverse=True)]
    return Held(index, listing, documents, releases, list(withheld.values())[:_MOST_WITHHELD])


def sums_of(project: Project) -> ProjectSums:
    """Sum up what is stored of a project."""
    files = [stored for stored in project.objects if stored.kind == "file"]
    return ProjectSums(
        len(files),
        len({stored.version for stored in files}),
        sum(stored.size for stored in project.objects),
        sum(stored.hits for stored in project.objects),
        max((stored.last_used for stored in project.objects), default=0.0),
    )


def versions_of(project: Project) -> list[str]:
    """Give the versions of which something is stored, the newest first."""
    found = {stored.version for stored in project.objects if stored.version}
    return sorted(found, key=_rank, reverse=True)


def _rank(version: str) -> tuple[bool, Version]:
    try:
        return True, Version(version)
    except InvalidVersion:
        return False, Version("0")
