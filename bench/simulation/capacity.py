"""What one node, and what the nodes share, can carry; and which of it is used up first."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.paths import RESULTS

if TYPE_CHECKING:
    from pathlib import Path

    from bench.simulation.cells import Cell

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """Per second, unless it says otherwise.

    ``hits``: requests of one core for pages in memory; ``file_cpu``: CPU seconds for a GB of files sent
    (`docs/benchmarks.md`, measured); ``miss_cpu``: CPU seconds of a local miss (`--check`, measured).
    ``line``: bytes of a node's network, ``upstream``: bytes of the line to the upstream that all share,
    ``disk``: bytes that a node's disk can write. ``gets`` and ``puts``: requests that S3 documents for one
    prefix of a bucket. ``register``: commands of one Valkey, which uses one core for them.
    """

    hits: float = 80_000.0
    file_cpu: float = 0.3
    miss_cpu: float = 0.002
    workers: float = 1.0
    line: float = 1.25e9
    upstream: float = 1.25e8
    disk: float = 4e8
    gets: float = 5_500.0
    puts: float = 3_500.0
    register: float = 80_000.0


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource with the share of it that the busiest minute takes, and what moves it."""

    name: str
    used: float
    setting: str


def measured(path: Path = RESULTS / "latest.json") -> dict[str, float]:
    """Read what the benchmark found one core to do."""
    rows = {item["row"]["id"]: item["measurement"] for item in json.loads(path.read_text())["results"]}
    hits = statistics.median(rows["page.96k.nginx-plain"]["ours"])
    return {
        "hits": round(hits),
        "file_cpu": round(statistics.median(rows["cpu.1MB.nginx-static"]["ours"]), 3),
    }


def resources(cell: Cell, capacity: Capacity) -> list[Resource]:
    """Tell how much of each resource the busiest minute of the day takes, the most first."""
    day, peak = cell.day, cell.peak / DAY
    each = peak / cell.nodes
    requests = day["pages"] + day["metadata"] + day["files"]
    hits = day["page_hits"] + day["metadata_hits"] + day["file_hits"]
    cpu = (requests / capacity.hits + day["sent"] / 1e9 * capacity.file_cpu) * each
    cpu += (requests - hits) * capacity.miss_cpu * each
    told = [
        Resource("CPU of a node", cpu / capacity.workers, "`workers`, then nodes"),
        Resource("network of a node", day["sent"] * each / capacity.line, "nodes"),
        Resource("disk of a node", day["stored_locally"] * each / capacity.disk, "`max_size`"),
        Resource("line to the upstream", day["upstream_bytes"] * peak / capacity.upstream, _kept(cell)),
    ]
    if cell.nodes > 1:
        told += _shared(day, peak, capacity)
    return sorted(told, key=lambda resource: -resource.used)


def _kept(cell: Cell) -> str:
    return "`shared_max_size`" if cell.nodes > 1 else "`max_size`"


def _shared(day: dict[str, Any], peak: float, capacity: Capacity) -> list[Resource]:
    calls = day["claims"] + day["publications"] + day["renewals"] + day["touches"]
    return [
        Resource("S3 GET", day["storage_gets"] * peak / capacity.gets, "`max_size`"),
        Resource("S3 PUT", day["storage_puts"] * peak / capacity.puts, "`shared_max_size`"),
        Resource("Valkey", calls * peak / capacity.register, "`fresh_for`"),
    ]
