"""The state that a month of the same load would have left, so that no simulated day begins with nothing.

A tier of least recently used items holds what was used within its *characteristic time*, the time in which
as many bytes are used as fit (H. Che, Y. Tung, Z. Wang: Hierarchical Web Caching Systems, 2002). It tells how
far back one has to look: the last use of each item within it is drawn, and all are admitted in that order by
the tiers themselves.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, NamedTuple

from bench.simulation.cluster import Body
from bench.simulation.requests import poisson
from cheesebox.cache.freshness import Copy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.simulation.cluster import Cluster
    from bench.simulation.projects import Item
    from bench.simulation.requests import Sample, Wanted

MONTH = 30 * 86400.0
MARGIN = 1.25
RARE = 0.5


class Use(NamedTuple):
    """The last use of something: so many seconds ago, at a node."""

    ago: float
    node: int
    wanted: Wanted


def characteristic_time(wanted: Iterable[tuple[float, float]], budget: int) -> float:
    """Give the seconds in which ``budget`` bytes are used, at most a month; of rates (1/s) and bytes."""
    known = list(wanted)
    low, high = 1.0, MONTH
    if _used(known, high) <= budget:
        return high
    for _ in range(24):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _used(known, middle) > budget else (middle, high)
    return high


def _used(known: list[tuple[float, float]], seconds: float) -> float:
    return math.fsum(size * -math.expm1(-rate * seconds) for rate, size in known)


def rates_and_sizes(sample: Sample, nodes: int) -> list[tuple[float, float]]:
    """Give how often each item is asked for at one of so many nodes, with the bytes of all it stands for."""
    at = sample.load.start
    return [
        (one.rate / nodes, one.project.item(one.what, one.slot, at).stored * one.project.weight)
        for one in sample.wanted
    ]


def settle(sample: Sample, cluster: Cluster, local_time: float, shared_time: float) -> None:
    """Fill the tiers; the times are those of `characteristic_time`."""
    source = random.Random(f"{sample.load.seed}/before")
    nodes = cluster.settings.nodes
    if cluster.settings.shares:
        for use in _last_uses(sample, source, 1, shared_time * MARGIN):
            at, body, item = _state(use, sample, cluster, source)
            cluster.share_from_the_beginning(at, item, use.wanted.project.weight, body)
    for use in _last_uses(sample, source, nodes, local_time * MARGIN):
        at, body, item = _state(use, sample, cluster, source)
        cluster.begin_with(use.node, at, item, use.wanted.project.weight, body)


def _last_uses(sample: Sample, source: random.Random, nodes: int, within: float) -> list[Use]:
    """Draw the last use of each item at each node, the longest ago first."""
    uses: list[Use] = []
    for one in sample.wanted:
        rate = one.rate / nodes
        if rate * within > RARE:
            ages = ((source.expovariate(rate), node) for node in range(nodes))
            uses += [Use(ago, node, one) for ago, node in ages if ago <= within]
        else:
            count = poisson(source, one.rate * within)
            uses += [Use(source.uniform(0, within), source.randrange(nodes), one) for _ in range(count)]
    uses.sort(key=lambda use: -use.ago)
    return uses


def _state(use: Use, sample: Sample, cluster: Cluster, source: random.Random) -> tuple[float, Body, Item]:
    """Give when that was, and what is known since of what."""
    policy = cluster.settings.policy
    at = sample.load.start - use.ago
    item = use.wanted.project.item(use.wanted.what, use.wanted.slot, at)
    validated = at - source.uniform(0, policy.fresh_for)
    fetched = validated - source.uniform(0, policy.full_refetch_after)
    return at, Body(Copy(validated, fetched, has_validator=True), item.version), item
