"""Requests of a stretch of time: each by itself, or sampled.

Each by itself: `every_request` draws as many as are wanted. That is exact, and takes ten seconds for a
million.

Sampled, for more: of each stretch of ranks some projects stand for all (`projects.strata`), weighing as
much as they stand for, so that tiers fill as fast as they do. What is asked for often at a node is not
drawn one by one either: between two requests that could be answered otherwise than out of the node's own,
all are hits, and Poisson's law tells how many. Both keep the expected counts as they are; `tests/bench`
compares them.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from bench.simulation.projects import (
    GOLDEN,
    SLOT_SHARES,
    SLOTS,
    Mix,
    Project,
    Stratum,
    What,
    make_project,
    strata,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.simulation.cluster import Cluster
    from bench.simulation.day import Day
    from bench.simulation.popularity import Popularity
    from bench.simulation.sizes import Sizes

OFTEN = 4.0
"""Requests between two glances at a node from which on use is steady."""
PAGE_GLANCE = 300.0


class Request(NamedTuple):
    """One request: seconds since midnight, which node, for what."""

    at: float
    node: int
    project: Project
    what: What
    slot: int


@dataclass(frozen=True, slots=True)
class Load:
    """How much of what is asked: requests a day over a stretch of hours of the day."""

    popularity: Popularity
    sizes: Sizes
    day: Day
    requests: float
    nodes: int = 1
    mix: Mix = field(default_factory=Mix)
    start: float = 0.0
    end: float = 86400.0
    seed: int = 1

    @property
    def share(self) -> float:
        """Give the stretch as a share of a day's load."""
        return (self.day.load(self.end) - self.day.load(self.start)) / 86400.0

    @property
    def span(self) -> tuple[float, float]:
        """Give the time in which releases come: from the day before."""
        return self.start - 86400.0, self.end


def every_request(load: Load) -> Iterator[Request]:
    """Draw all requests of the stretch, in the order of time."""
    source = random.Random(load.seed)
    count = round(load.requests * load.share)
    low, high = load.day.load(load.start), load.day.load(load.end)
    times = sorted(source.uniform(low, high) for _ in range(count))
    ranks = source.choices(
        range(len(load.popularity.shares)), cum_weights=load.popularity.cumulative(), k=count
    )
    whats = source.choices(tuple(What), weights=load.mix.shares, k=count)
    slots = source.choices(range(SLOTS), weights=SLOT_SHARES, k=count)
    made: dict[int, Project] = {}
    for at, rank, what, slot in zip(times, ranks, whats, slots, strict=True):
        if (project := made.get(rank)) is None:
            name = f"{load.seed}-{rank}"
            project = made[rank] = make_project(name, load.popularity.shares[rank], load.sizes, load.span)
        place = 0 if what is What.PAGE else slot
        yield Request(load.day.when(at), source.randrange(load.nodes), project, what, place)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An item with how often it is asked for at all nodes together, requests a second of the mean."""

    project: Project
    what: What
    slot: int
    rate: float


class Sample:
    """The projects that stand for all, one for at most ``most``, and what is asked of them.

    What is in steady use is looked at again after `glance` seconds, to keep its place among the used.
    """

    def __init__(self, load: Load, most: int) -> None:
        self.load = load
        self.glance = 900.0
        self.projects = [
            self._stand_in(stratum, number, load)
            for stratum in strata(load.popularity, most)
            for number in range(stratum.count)
        ]
        self.wanted = [one for project in self.projects for one in self._of(project)]

    @staticmethod
    def _stand_in(stratum: Stratum, number: int, load: Load) -> Project:
        """Make a project that stands for others; sizes are spread evenly over those of a stretch."""
        name = f"{load.seed}-{stratum.first}-{number}"
        place = (random.Random(f"{load.seed}-{stratum.first}").random() + number * GOLDEN) % 1.0
        return make_project(name, stratum.share, load.sizes, load.span, stratum.weight, place)

    def _of(self, project: Project) -> list[Wanted]:
        rate = self.load.requests / 86400.0 * project.share
        page, metadata, files = self.load.mix.shares
        total = sum(SLOT_SHARES)
        found = [Wanted(project, What.PAGE, 0, rate * page)]
        for slot, share in enumerate(SLOT_SHARES):
            found.append(Wanted(project, What.METADATA, slot, rate * metadata * share / total))
            found.append(Wanted(project, What.FILE, slot, rate * files * share / total))
        return found

    def is_steady(self, one: Wanted) -> bool:
        """Tell whether it is asked for often at each node."""
        return one.rate / self.load.nodes * self.glance >= OFTEN

    def steps(self) -> float:
        """Tell about how many steps a day of it takes."""
        looks = self.load.nodes * 86400.0
        return sum(
            looks / (PAGE_GLANCE if one.what is What.PAGE else self.glance)
            if self.is_steady(one)
            else one.rate * 86400.0
            for one in self.wanted
        )


def poisson(source: random.Random, mean: float) -> int:
    """Draw from Poisson's law; large means by the normal law that it nears."""
    if mean > 60:
        return max(0, round(source.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, source.random()
    while product > limit:
        count += 1
        product *= source.random()
    return count


def ask_sample(sample: Sample, cluster: Cluster) -> None:
    """Put the sampled requests of the stretch to the nodes."""
    load = sample.load
    source = random.Random(f"{load.seed}/requests")
    low, high = load.day.load(load.start), load.day.load(load.end)
    due: list[tuple[float, int, int, Wanted]] = []
    number = 0
    for one in sample.wanted:
        if sample.is_steady(one):
            for node in range(load.nodes):
                due.append((low + source.expovariate(one.rate / load.nodes), number, node, one))
                number += 1
        else:
            for _ in range(poisson(source, one.rate * (high - low))):
                due.append((source.uniform(low, high), number, source.randrange(load.nodes), one))
                number += 1
    heapq.heapify(due)
    while due and due[0][0] < high:
        clock, number, node, one = due[0]
        project, at = one.project, load.day.when(clock)
        quiet = cluster.ask(at, node, project, one.what, one.slot)
        if not sample.is_steady(one):
            heapq.heappop(due)
            continue
        rate = one.rate / load.nodes
        resumed = min(high, max(clock, load.day.load(min(quiet, at + sample.glance))))
        hits = poisson(source, rate * (resumed - clock))
        cluster.count_hits(at, project, one.what, one.slot, hits)
        heapq.heapreplace(due, (resumed + source.expovariate(rate), number, node, one))
