"""One cell of the plan: so many nodes, so many requests a day, simulated in the way that its size allows."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bench.simulation.cluster import Cluster, Settings
from bench.simulation.day import Day, Shape
from bench.simulation.popularity import PROJECTS, Popularity, fit, read_downloads
from bench.simulation.projects import Mix
from bench.simulation.requests import Load, Sample, ask_sample, every_request
from bench.simulation.sizes import read_sizes
from bench.simulation.steady import characteristic_time, rates_and_sizes, settle

MEAN_HOUR = 8.0
"""Hour of the day whose load is the day's mean."""
GRAIN = 2e9
"""Sampled projects weigh no more than lets a tier hold thousands: bytes of a tier for a weight of 1."""

FEW = 8e4
"""Where few requests come, projects are sampled finely, so that enough of them are drawn."""
MANY = 100
"""Of so many nodes each may be simulated half as finely: what one gets too much of, another lacks."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated. ``steps``: about how many steps a cell may take; ``projects`` of the index.

    ``most``: for how many a sampled project stands at most; 0: what fits the tiers.
    """

    nodes: int
    requests: float
    settings: Settings = field(default_factory=Settings)
    shape: Shape = field(default_factory=Shape)
    mix: Mix = field(default_factory=Mix)
    projects: int = PROJECTS
    steps: float = 1e6
    most: int = 0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of it: counts of a day, bytes and bodies held, and what they were drawn from."""

    nodes: int
    requests: float
    day: dict[str, Any]
    peak: float
    held_locally: int
    held_shared: int
    bodies_shared: int
    hours: float
    projects: int
    local_days: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON takes it."""
        return asdict(self)


def mean_of(cells: list[Cell]) -> Cell:
    """Give the mean of several draws of one plan."""
    count = len(cells)
    return replace(
        cells[0],
        day={name: sum(cell.day[name] for cell in cells) / count for name in cells[0].day},
        held_locally=sum(cell.held_locally for cell in cells) // count,
        held_shared=sum(cell.held_shared for cell in cells) // count,
        bodies_shared=sum(cell.bodies_shared for cell in cells) // count,
        seconds=round(sum(cell.seconds for cell in cells), 1),
    )


def load_of(plan: Plan, hours: float = 24.0) -> Load:
    """Give the plan's load, over so many hours about the one of mean load."""
    start, end = (0.0, 24.0) if hours >= 24 else (MEAN_HOUR - hours / 2, MEAN_HOUR + hours / 2)
    popularity = Popularity.of(fit(read_downloads()), plan.projects)
    return Load(
        popularity,
        read_sizes(),
        Day(plan.shape),
        plan.requests,
        plan.nodes,
        plan.mix,
        start * 3600.0,
        end * 3600.0,
        plan.seed,
    )


def simulate(plan: Plan) -> Cell:
    """Simulate a sampled day, or as many hours of it as the steps allow, from a steady state."""
    began = time.perf_counter()
    settings = replace(plan.settings, nodes=plan.nodes)
    whole = load_of(plan)
    most = min(settings.max_size / GRAIN, plan.requests / FEW) * (1 + plan.nodes / MANY)
    sample = Sample(whole, most=plan.most or max(1, round(most)))
    local = characteristic_time(rates_and_sizes(sample, plan.nodes), settings.max_size)
    shared = characteristic_time(rates_and_sizes(sample, 1), settings.shared_max_size)
    sample.glance = max(60.0, min(3600.0, local / 8))
    hours = float(max(1, min(24, int(24 * plan.steps / sample.steps()))))
    sample.load = load_of(plan, hours)
    cluster = Cluster(settings)
    settle(sample, cluster, local, shared)
    ask_sample(sample, cluster)
    return _cell(plan, cluster, sample, hours, local, time.perf_counter() - began)


def simulate_each(plan: Plan, warm_up: int = 1) -> Cell:
    """Simulate a day request by request, after so many days of the same from nothing."""
    began = time.perf_counter()
    load = load_of(plan)
    cluster = Cluster(replace(plan.settings, nodes=plan.nodes))
    requests = every_request(replace(load, start=-86400.0 * warm_up))
    warm = None
    for at, node, project, what, slot in requests:
        if warm is None and at >= 0:
            warm = cluster.begin_counting()
        cluster.ask(at, node, project, what, slot)
    return _cell(plan, cluster, None, 24.0, 0.0, time.perf_counter() - began)


def _cell(
    plan: Plan, cluster: Cluster, sample: Sample | None, hours: float, local: float, seconds: float
) -> Cell:
    share = 1.0 if sample is None else sample.load.share
    return Cell(
        plan.nodes,
        plan.requests,
        cluster.tally.scaled(1 / share),
        Day(plan.shape).peak,
        sum(node.size for node in cluster.nodes) // plan.nodes,
        cluster.shared.size,
        cluster.shared.bodies,
        hours,
        plan.projects if sample is None else len(sample.projects),
        round(local / 86400, 3),
        round(seconds, 1),
    )
