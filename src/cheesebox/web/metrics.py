"""What metrics are made of: all counts and states at one moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cheesebox import __version__
from cheesebox.web.http import Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.eviction import Limits, RoomStatistics
    from cheesebox.cache.upstream_watch import HostHealth
    from cheesebox.ports import Count, Tally, Totals
    from cheesebox.web.hot import HotStatistics
    from cheesebox.web.http import Request
    from cheesebox.web.operations import Sight
    from cheesebox.web.shared import SharedState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was seen at one moment; sizes in bytes. Nothing in it changes any more."""

    version: str
    tallies: Mapping[Tally, Count]
    codes: Mapping[int, int]
    hosts: Sequence[HostHealth]
    totals: Totals
    limits: Limits
    room: RoomStatistics
    free: int
    hot: HotStatistics
    downloads: int
    received: int
    is_offline: bool
    shared: SharedState | None


def snapshot(sight: Sight) -> Snapshot:
    """Look at everything; raises `StoreError`."""
    statistics = sight.statistics()
    bodies = [download.body for download in sight.downloads()]
    return Snapshot(
        __version__,
        statistics.tallies,
        statistics.codes,
        [replace(health, latencies=list(health.latencies)) for health in sight.watch.hosts()],
        sight.totals(),
        sight.limits,
        sight.room(),
        sight.free_space(),
        sight.memory(),
        len(bodies),
        sum(body.written for body in bodies if body is not None),
        sight.connectivity.is_offline,
        sight.shared(),
    )


class Metrics:
    """Answers scrapes."""

    def __init__(self, sight: Sight, blocking: Blocking) -> None:
        self._sight = sight
        self._blocking = blocking

    async def answer(self, request: Request) -> Response:
        """Give the metrics of now; raises `StoreError`."""
        seen = snapshot(self._sight)
        content_type, body = await self._blocking(_rendered, seen, request.header("accept") or "")
        headers = [
            ("content-type", content_type),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            ("vary", "Accept"),
        ]
        return Response(200, headers, body, kind="own")


def _rendered(seen: Snapshot, accept: str) -> tuple[str, bytes]:
    # Loading the library takes a tenth of a second, which only those who scrape shall wait for.
    from cheesebox.web.exposition import render  # noqa: PLC0415 - as above

    return render(seen, accept)
