"""The metrics in the text formats of Prometheus and OpenMetrics.

Each scrape has a registry of its own with what was seen then: nothing is shared with whatever else
this process counts. Names follow the conventions of Prometheus (base units, ``_total``); what a
metric means is said here once, and docs/metrics.md lists them all.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.registry import Collector

from cheesebox.cache.ledger import UPSTREAM
from cheesebox.cache.upstream_watch import LATENCIES
from cheesebox.web.shared_exposition import shared_metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from cheesebox.cache.upstream_watch import HostHealth
    from cheesebox.web.metrics import Snapshot

_BOUNDS = [*map(str, LATENCIES), "+Inf"]


def render(snapshot: Snapshot, accept: str) -> tuple[str, bytes]:
    """Give content type and body, in the format that ``accept`` asks for."""
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(snapshot))
    ProcessCollector(registry=registry)
    # The library's own negotiation says in its answer whatever version the request has.
    if OPENMETRICS.partition(";")[0] in accept:
        return OPENMETRICS, openmetrics(registry)  # type: ignore[no-untyped-call] # the library's
    return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(registry)


class SnapshotCollector(Collector):
    """Gives the metrics of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Give all metrics, also those that have no samples yet."""
        version = {"version": self._snapshot.version}
        yield InfoMetricFamily("cheesebox_build", "Version of cheesebox.", version)
        yield from self._answers()
        yield from self._fetches()
        yield from _upstreams(self._snapshot.hosts)
        yield from self._storage()
        yield from self._now()
        yield from shared_metrics(self._snapshot.shared)

    def _answers(self) -> Iterator[Metric]:
        labels = ("index", "kind", "cache")
        answers = CounterMetricFamily("cheesebox_requests", "Requests answered.", labels=labels)
        sent = CounterMetricFamily(
            "cheesebox_sent_bytes", "Bytes of bodies sent to clients.", labels=labels, unit="bytes"
        )
        for tally, count in self._snapshot.tallies.items():
            if tally.kind != UPSTREAM:
                values = (tally.index, tally.kind, tally.outcome)
                answers.add_metric(values, count.answers)
                sent.add_metric(values, count.bytes)
        codes = CounterMetricFamily("cheesebox_responses", "Responses by HTTP status.", labels=("code",))
        for code, answered in sorted(self._snapshot.codes.items()):
            codes.add_metric((str(code),), answered)
        yield from (answers, sent, codes)

    def _fetches(self) -> Iterator[Metric]:
        fetches = CounterMetricFamily(
            "cheesebox_fetches",
            "Requests to upstreams, by index; outcome is answered or failed.",
            labels=("index", "outcome"),
        )
        sizes = CounterMetricFamily(
            "cheesebox_fetched_bytes", "Bytes of bodies that came.", labels=("index", "outcome"), unit="bytes"
        )
        for tally, count in self._snapshot.tallies.items():
            if tally.kind == UPSTREAM:
                fetches.add_metric((tally.index, tally.outcome), count.answers)
                sizes.add_metric((tally.index, tally.outcome), count.bytes)
        yield from (fetches, sizes)

    def _storage(self) -> Iterator[Metric]:
        seen = self._snapshot
        yield _bytes("cheesebox_stored_bytes", "Bytes stored on disk.", seen.totals.size)
        yield _bytes("cheesebox_stored_max_bytes", "Limit of bytes stored (max_size).", seen.limits.max_size)
        yield _gauge("cheesebox_stored_entries", "Objects stored.", seen.totals.entries)
        yield _gauge("cheesebox_stored_max_entries", "Limit of objects; 0: none.", seen.limits.max_entries)
        yield _bytes("cheesebox_reserved_bytes", "Room promised to what is written now.", seen.room.reserved)
        yield _bytes("cheesebox_disk_free_bytes", "Free bytes of the cache's file system.", seen.free)
        yield _bytes("cheesebox_disk_min_free_bytes", "Bytes to leave free (min_free).", seen.limits.min_free)
        yield CounterMetricFamily(
            "cheesebox_evicted_entries", "Objects evicted or expired.", seen.room.evicted_entries
        )
        yield CounterMetricFamily(
            "cheesebox_evicted_bytes", "Bytes evicted or expired.", seen.room.evicted_bytes, unit="bytes"
        )

    def _now(self) -> Iterator[Metric]:
        seen = self._snapshot
        yield _gauge("cheesebox_downloads", "Downloads under way.", seen.downloads)
        yield _bytes("cheesebox_downloads_received_bytes", "What came of these so far.", seen.received)
        yield _gauge("cheesebox_hot_targets", "Targets with ready answers in memory.", seen.hot.targets)
        yield _bytes("cheesebox_hot_bytes", "Bytes of ready answers in memory.", seen.hot.bytes)
        yield _gauge("cheesebox_offline", "1 while no upstream is asked, by setting.", int(seen.is_offline))


def _upstreams(hosts: Iterable[HostHealth]) -> Iterator[Metric]:
    labels = ("host",)
    requests = CounterMetricFamily("cheesebox_upstream_requests", "Requests to a host.", labels=labels)
    failures = CounterMetricFamily(
        "cheesebox_upstream_failures",
        "Requests that failed: 5xx, no or half an answer.",
        labels=labels,
    )
    received = CounterMetricFamily(
        "cheesebox_upstream_received_bytes", "Bytes of bodies from a host.", labels=labels, unit="bytes"
    )
    row = GaugeMetricFamily(
        "cheesebox_upstream_failures_in_a_row", "Failures since the last good answer.", labels=labels
    )
    latency = HistogramMetricFamily(
        "cheesebox_upstream_latency_seconds",
        "Time until the head of a host's answer.",
        labels=labels,
        unit="seconds",
    )
    for health in hosts:
        host = (health.host,)
        requests.add_metric(host, health.requests)
        failures.add_metric(host, health.failures)
        received.add_metric(host, health.bytes)
        row.add_metric(host, health.failures_in_a_row)
        buckets = list(zip(_BOUNDS, accumulate(health.latencies), strict=True))
        latency.add_metric(host, buckets, health.latency_sum)
    yield from (requests, failures, received, row, latency)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _bytes(name: str, text: str, value: int) -> Metric:
    return GaugeMetricFamily(name, text, value, unit="bytes")
