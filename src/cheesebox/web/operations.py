"""What people who run the cache ask and do, as one object: behind the API, the dashboard, the metrics."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cheesebox import __version__
from cheesebox.cache.history import HOUR, hour_of
from cheesebox.cache.objects import index_of
from cheesebox.cache.purge import Selection
from cheesebox.cache.sums import summed
from cheesebox.errors import InvalidRequest
from cheesebox.ports import Key
from cheesebox.simple.names import canonical_spelling, normalize, version_of
from cheesebox.web import models
from cheesebox.web.shared import nodes_model

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.connectivity import Connectivity
    from cheesebox.cache.downloads import Download
    from cheesebox.cache.eviction import Limits, RoomStatistics
    from cheesebox.cache.history import Recorder
    from cheesebox.cache.ledger import Statistics
    from cheesebox.cache.listed import Listed
    from cheesebox.cache.purge import Purged, Purging
    from cheesebox.cache.recent import Recent
    from cheesebox.cache.upstream_watch import UpstreamWatch
    from cheesebox.ports import Clock, Count, Entry, History, Holdings, Order, Tally, Totals
    from cheesebox.simple.names import ProjectName
    from cheesebox.web.hot import HotStatistics
    from cheesebox.web.shared import SharedState

_HIGHLIGHTS = 10


@dataclass(frozen=True, slots=True)
class Sight:
    """What there is to look at. The functions give what holds now; none of them blocks.

    ``listed`` reads the cached pages of a project; it raises `StoreError`. ``shared`` gives None where
    there are no other nodes.
    """

    statistics: Callable[[], Statistics]
    totals: Callable[[], Totals]
    room: Callable[[], RoomStatistics]
    free_space: Callable[[], int]
    memory: Callable[[], HotStatistics]
    downloads: Callable[[], Sequence[Download]]
    connectivity: Connectivity
    limits: Limits
    watch: UpstreamWatch
    recent: Recent
    settings: Sequence[models.SettingRow]
    listed: Callable[[ProjectName], Awaitable[Sequence[Listed]]]
    shared: Callable[[], SharedState | None]


class Operations:
    """Looks and acts. All times in and out are seconds since the epoch."""

    def __init__(
        self,
        sight: Sight,
        history: History,
        recorder: Recorder,
        holdings: Holdings,
        purge: Purging,
        clock: Clock,
        blocking: Blocking,
    ) -> None:
        """``blocking`` runs what scans, apart from those who serve, one call at a time."""
        self.sight = sight
        self.clock = clock
        self._history = history
        self._recorder = recorder
        self._holdings = holdings
        self._purge = purge
        self._blocking = blocking
        self._started_at = clock()

    def overview(self) -> models.Overview:
        """Give the state of the whole cache."""
        tallies, shared = self.sight.statistics().tallies, self.sight.shared()
        return models.Overview(
            __version__,
            self.clock(),
            self._started_at,
            self.sight.connectivity.is_offline,
            _sum(tallies.items()),
            _counts(tallies),
            self._storage(),
            models.Ready(**asdict(self.sight.memory())),
            [_host(health) for health in self.sight.watch.hosts()],
            None if shared is None else nodes_model(shared),
        )

    def _storage(self) -> models.Storage:
        totals, room, limits = self.sight.totals(), self.sight.room(), self.sight.limits
        return models.Storage(
            totals.size,
            limits.max_size,
            totals.entries,
            limits.max_entries,
            room.reserved,
            self.sight.free_space(),
            limits.min_free,
            room.evicted_entries,
            room.evicted_bytes,
        )

    async def note(self) -> None:
        """Write down what was counted since the last time; raises `StoreError`."""
        await self._blocking(self._recorder.note, self.sight.statistics().tallies)

    async def history(self, hours: int) -> models.HistoryDocument:
        """Give the counts of this hour and those before, ``hours`` in all; raises `StoreError`."""
        await self.note()
        since = hour_of(self.clock()) - (hours - 1) * HOUR
        counts = await self._blocking(self._history.since, since)
        by_hour: dict[int, dict[Tally, Count]] = defaultdict(dict)
        by_index: dict[str, list[tuple[Tally, Count]]] = defaultdict(list)
        for c in counts:
            by_hour[c.hour][c.tally] = c.count
            by_index[c.tally.index].append((c.tally, c.count))
        return models.HistoryDocument(
            since,
            _sum((c.tally, c.count) for c in counts),
            [models.IndexSum(index, _sum(found)) for index, found in sorted(by_index.items()) if index],
            [models.HourSum(hour, _sum(found.items())) for hour, found in by_hour.items()],
            [models.Hour(hour, _counts(found)) for hour, found in by_hour.items()],
        )

    async def projects(self, search: str, order: Order, limit: int, offset: int) -> models.Projects:
        """Give a part of the projects; raises `StoreError`."""
        spelled = canonical_spelling(search)  # any spelling finds the normalised names
        found = await self._blocking(self._holdings.projects, spelled, order, limit + 1, offset)
        rows = [models.ProjectRow(**asdict(row)) for row in found[:limit]]
        return models.Projects(rows, offset + limit if len(found) > limit else None)

    async def project(self, name: str) -> models.Project:
        """Give what is stored of a project; raises `InvalidName`, `StoreError`."""
        project = normalize(name)
        found = await self._blocking(self._holdings.objects, project)
        return models.Project(project, [_stored(entry) for entry in found])

    async def listings(self, name: str) -> list[models.Listing]:
        """Give what the cached pages say of a project; raises `InvalidName`, `StoreError`."""
        return [_listing(listed) for listed in await self.sight.listed(normalize(name))]

    async def highlights(self) -> models.Highlights:
        """Give the newest and the largest files, and sums; scans the catalogue. Raises `StoreError`."""
        newest = await self._blocking(self._holdings.newest, _HIGHLIGHTS)
        largest = await self._blocking(self._holdings.largest, _HIGHLIGHTS)
        sums = await self._blocking(self._holdings.sums)
        return models.Highlights(
            [_stored(entry) for entry in newest],
            [_stored(entry) for entry in largest],
            [models.KindRow(row.index, row.kind.value, row.entries, row.size) for row in sums],
        )

    def activity(self) -> models.Activity:
        """Give what goes on now, and what went wrong lately."""
        downloads = [_under_way(download) for download in self.sight.downloads()]
        return models.Activity(downloads, [models.EventRow(*event) for event in self.sight.recent.events()])

    async def purge(self, asked: models.PurgeRequest) -> models.Purged:
        """Remove what is asked for; raises `InvalidRequest`, `InvalidName`, `StoreError`."""
        conditions = (asked.project, asked.version, asked.index, asked.older_than)
        is_selective = any(condition is not None for condition in conditions)
        if (asked.keys is not None) + is_selective + asked.all != 1:
            raise InvalidRequest(
                "say what to remove by project, version, index or older_than, or by keys, or say all"
            )
        if asked.keys is not None:
            return _purged(await self._purge.remove([Key(key) for key in asked.keys]))
        if asked.version is not None and asked.project is None:
            raise InvalidRequest("a version goes with a project")
        if asked.older_than is not None and not 0 <= asked.older_than < float("inf"):
            raise InvalidRequest("older_than is a number of seconds, not less than 0")
        before = None if asked.older_than is None else self.clock() - asked.older_than
        project = None if asked.project is None else normalize(asked.project)
        return _purged(await self._purge.run(Selection(project, asked.version, asked.index, before)))

    def switch(self, *, is_offline: bool) -> models.Offline:
        """Go offline or online; gives how it is then."""
        connectivity = self.sight.connectivity
        if is_offline:
            connectivity.go_offline()
        else:
            connectivity.go_online()
        return models.Offline(connectivity.is_offline)

    def settings(self) -> models.SettingsDocument:
        """Give the settings in force."""
        return models.SettingsDocument(list(self.sight.settings))


def _purged(purged: Purged) -> models.Purged:
    return models.Purged(purged.objects, purged.bytes)


def _sum(counts: Iterable[tuple[Tally, Count]]) -> models.Sum:
    s = summed(counts)
    return models.Sum(s.hits, s.misses, s.stale, s.sent, s.fetched, s.saved, s.ratio)


def _counts(tallies: Mapping[Tally, Count]) -> list[models.Counted]:
    return [models.Counted(t.index, t.kind, t.outcome, *count) for t, count in sorted(tallies.items())]


def _host(health: object) -> models.Host:
    return models.Host(**{f: getattr(health, f) for f in models.Host.__struct_fields__})


def _stored(entry: Entry) -> models.Stored:
    filename = entry.key.rpartition("/")[2]
    version = version_of(filename) if entry.kind in ("file", "metadata") else None
    return models.Stored(
        entry.key,
        index_of(entry.key),
        entry.kind.value,
        filename,
        None if version is None else str(version),
        entry.size,
        entry.digest,
        entry.fetched_at,
        entry.validated_at,
        entry.last_used,
        entry.hits,
    )


def _listing(listed: Listed) -> models.Listing:
    withheld = [
        models.WithheldRow(name, each.reason, None if each.until is None else each.until.timestamp())
        for name, each in listed.withheld.items()
    ]
    return models.Listing(
        listed.index,
        listed.status,
        listed.status_reason,
        listed.fetched_at,
        listed.validated_at,
        listed.files,
        listed.versions,
        listed.has_rules,
        withheld,
    )


def _under_way(download: Download) -> models.UnderWay:
    body = download.body
    return models.UnderWay(
        download.origin.key,
        0 if body is None else body.written,
        None if body is None else body.total,
        download.readers,
        download.resumed,
    )
