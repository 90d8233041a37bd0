"""The metrics of what nodes have in common; without others all families are there, and have no samples."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.metrics_core import Metric

    from cheesebox.web.shared import EngineState, SharedState


def shared_metrics(state: SharedState | None) -> Iterator[Metric]:
    """Give the metrics; None: there are no other nodes."""
    yield from _engines(() if state is None else state.engines)
    yield from _together(state)
    yield from _kept(state)


def _engines(engines: Sequence[EngineState]) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "cheesebox_engine_up", "1 while a shared engine does what it should.", labels=("engine",)
    )
    failures = CounterMetricFamily(
        "cheesebox_engine_failures", "Failures of a shared engine, as seen here.", labels=("engine",)
    )
    operations = CounterMetricFamily(
        "cheesebox_engine_operations",
        "Calls of a shared engine by this node.",
        labels=("engine", "operation"),
    )
    errors = CounterMetricFamily("cheesebox_engine_errors", "Those that failed.", labels=("engine",))
    carried = CounterMetricFamily(
        "cheesebox_shared_carried_bytes",
        "Bytes of bodies that went up to the storage or came down from it.",
        labels=("direction",),
        unit="bytes",
    )
    for direction in ("up", "down") if engines else ():
        carried.add_metric((direction,), sum(getattr(each.calls, f"bytes_{direction}") for each in engines))
    for engine in engines:
        up.add_metric((engine.name,), int(not engine.trouble))
        failures.add_metric((engine.name,), engine.failures)
        for operation, calls in sorted(engine.calls.operations.items()):
            operations.add_metric((engine.name, operation), calls)
        errors.add_metric((engine.name,), engine.calls.errors)
    yield from (up, failures, operations, errors, carried)


def _together(state: SharedState | None) -> Iterator[Metric]:
    bodies = CounterMetricFamily(
        "cheesebox_shared_bodies", "Bodies by what this node had to do with others.", labels=("way",)
    )
    for way, count in asdict(state.counts).items() if state else ():
        bodies.add_metric((way,), count)
    yield bodies


def _kept(state: SharedState | None) -> Iterator[Metric]:
    keeping = state.keeping if state else None
    totals = keeping.totals if keeping else None
    yield _gauge(
        "cheesebox_shared_keeping", "1 on the node that evicts.", int(keeping.is_leading) if keeping else None
    )
    yield _gauge(
        "cheesebox_shared_stored_bytes", "Bytes in the shared storage.", totals.size if totals else None
    )
    yield _gauge(
        "cheesebox_shared_stored_max_bytes",
        "Limit of these (shared_max_size); 0: none.",
        state.max_size if state else None,
    )
    yield _gauge("cheesebox_shared_stored_entries", "Objects in it.", totals.entries if totals else None)
    yield _counter(
        "cheesebox_shared_evicted_entries",
        "Shared objects evicted here.",
        keeping.evicted if keeping else None,
    )
    yield _counter(
        "cheesebox_shared_evicted_bytes",
        "Their bytes.",
        keeping.evicted_bytes if keeping else None,
        unit="bytes",
    )
    objects = CounterMetricFamily(
        "cheesebox_shared_objects", "Objects of the storage put in order by this node.", labels=("done",)
    )
    if keeping is not None:
        objects.add_metric(("swept",), keeping.swept)
        objects.add_metric(("adopted",), keeping.adopted)
        objects.add_metric(("orphaned",), keeping.orphans)
    yield objects


def _gauge(name: str, text: str, value: float | None) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(), unit="bytes" if name.endswith("_bytes") else "")
    if value is not None:
        family.add_metric((), value)
    return family


def _counter(name: str, text: str, value: float | None, unit: str = "") -> Metric:
    family = CounterMetricFamily(name, text, labels=(), unit=unit)
    if value is not None:
        family.add_metric((), value)
    return family
