"""What a month costs, by list prices of one large provider."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.simulation.cells import Cell

MONTH = 30.4
HOURS = 730.0
RECORD = 1500
"""Bytes of a record in the register with its name and its place among the used, about."""


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars. List prices of Amazon Web Services in Northern Virginia, on demand, as of late 2025.

    S3 Standard: requests and storage; traffic to nodes in the same region is free. ElastiCache for Valkey:
    cache.r7g.large, 13.07 GiB of which a quarter is left free, one replica for each. Nodes: m7g.large
    (2 cores, 8 GiB), and gp3 volumes. ``zone_gb``: between zones of a region, for both ends; 0 as nodes can
    be in one.
    """

    get_million: float = 0.40
    put_million: float = 5.00
    storage_gb: float = 0.023
    register_hour: float = 0.1752
    register_bytes: float = 13.07 * 2**30 * 0.75
    register_replicas: int = 1
    register_calls: float = 80_000.0
    node_hour: float = 0.0816
    disk_gb: float = 0.08
    zone_gb: float = 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars a month."""

    nodes: float
    storage: float
    gets: float
    puts: float
    register: float

    @property
    def total(self) -> float:
        """Add up."""
        return self.nodes + self.storage + self.gets + self.puts + self.register


def cost(cell: Cell, max_size: int, prices: Prices) -> Cost:
    """Reckon a month of such days."""
    day = cell.day
    nodes = cell.nodes * (prices.node_hour * HOURS + max_size / 1e9 * prices.disk_gb)
    if not cell.held_shared:
        return Cost(nodes, 0.0, 0.0, 0.0, 0.0)
    moved = (day["storage_get_bytes"] + day["storage_put_bytes"]) / 1e9 * MONTH
    return Cost(
        nodes,
        cell.held_shared / 1e9 * prices.storage_gb + moved * prices.zone_gb,
        day["storage_gets"] * MONTH / 1e6 * prices.get_million,
        day["storage_puts"] * MONTH / 1e6 * prices.put_million,
        registers(cell, prices) * (1 + prices.register_replicas) * prices.register_hour * HOURS,
    )


def registers(cell: Cell, prices: Prices) -> int:
    """Count the Valkeys that the busiest minute and the records take."""
    day = cell.day
    calls = day["claims"] + day["publications"] + day["renewals"] + day["touches"]
    by_calls: float = calls * cell.peak / 86400 / prices.register_calls
    by_memory: float = cell.bodies_shared * RECORD / prices.register_bytes
    return max(1, math.ceil(max(by_calls, by_memory)))
