"""`python -m bench.simulate`: one, ten, a hundred nodes, and a million to a billion requests a day.

Prints a table of hit ratios, upstream traffic, requests to what nodes share, cost and the first bottleneck.
`--all` (as `make simulate`) also varies single settings, compares the sampled simulation with one of every
request, checks the model against a real node, keeps the results and writes them into `docs/scale.md`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from bench import machine
from bench.paths import RESULTS
from bench.simulation import page
from bench.simulation.capacity import Capacity, measured, resources
from bench.simulation.cells import Cell, Plan, mean_of, simulate, simulate_each
from bench.simulation.check import Checked, Trial, check
from bench.simulation.cluster import Settings
from bench.simulation.day import Day, Shape
from bench.simulation.popularity import fit, read_downloads
from bench.simulation.prices import Prices, cost
from bench.simulation.projects import Mix
from cheesebox.cache.freshness import Policy
from cheesebox.units import parse_size

QUICK_STEPS, STEPS = 2e4, 1.5e5
DRAWS = 2
"""Of each cell: which projects are large is drawn anew."""
NODES = (1, 10, 100)
REQUESTS = (1e6, 1e7, 1e8, 1e9)
VARIED = (10, 1e8)
"""The cell of which single settings are varied."""
TRIALS = (
    Trial(requests=3_000, seconds=20, max_size=6_000_000),
    Trial(requests=3_000, seconds=20, max_size=12_000_000, fresh_for=2.0, seed=2),
)
T = TypeVar("T", Prices, Capacity, Shape, Mix)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    base: Plan
    nodes: tuple[int, ...]
    requests: tuple[float, ...]
    prices: Prices
    capacity: Capacity
    processes: int
    draws: int


def main() -> int:
    """Simulate."""
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 170)
    began = time.perf_counter()
    checked = [check(trial) for trial in TRIALS] if arguments.check or arguments.all else []
    for one in checked:
        console.print(_verdict(one))
    if arguments.check and not arguments.all:
        return int(any(one.off_by > 2 for one in checked))
    asked = _asked(arguments, checked)
    with ProcessPoolExecutor(asked.processes) as pool:
        data = _simulated(asked, pool, whole=arguments.all)
    console.print(_table(data))
    data["checked"] = [one.as_dict() for one in checked]
    data["seconds"] = round(time.perf_counter() - began)
    output: Path = arguments.output
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    console.print(f"{data['seconds']} s; results in {output}")
    if arguments.all and output == page.LATEST:
        page.write()
    return int(any(one.off_by > 2 for one in checked))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.simulate", description=__doc__)
    add = parser.add_argument
    add("--all", action="store_true", help="everything, and the page: about four minutes on two cores")
    add("--quick", action="store_true", help="two loads with fewer steps: under half a minute, rough")
    add("--check", action="store_true", help="only compare the model with a real node")
    add("--nodes", type=_numbers, default=NODES, metavar="N,N", help="numbers of nodes")
    add("--requests", type=_numbers, metavar="N,N", help="requests a day, such as 1e6,1e9")
    add("--max-size", type=parse_size, default=Settings().max_size, metavar="SIZE", help="of each node")
    add(
        "--shared-max-size",
        type=parse_size,
        default=Settings().shared_max_size,
        metavar="SIZE",
        help="of all",
    )
    add("--fresh-for", type=float, default=Policy().fresh_for, metavar="SECONDS", help="of pages")
    add("--seed", type=int, default=1, help="of everything that is drawn")
    add("--processes", type=int, default=2, help="cells at a time")
    for name, kind in (("price", Prices), ("capacity", Capacity), ("load", Shape), ("mix", Mix)):
        known = ", ".join(field.name for field in fields(kind))
        add(f"--{name}", action="append", default=[], metavar="NAME=VALUE", help=f"one of {known}")
    add("--output", type=Path, help="where the results go")
    parsed = parser.parse_args()
    parsed.requests = parsed.requests or ((1e6, 1e9) if parsed.quick else REQUESTS)
    parsed.output = parsed.output or (page.LATEST if parsed.all else RESULTS / "raw" / "simulation.json")
    return parsed


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _asked(arguments: argparse.Namespace, checked: list[Checked]) -> Asked:
    settings = Settings(
        max_size=arguments.max_size,
        shared_max_size=arguments.shared_max_size,
        policy=Policy(fresh_for=arguments.fresh_for),
    )
    told = {"miss_cpu": max(one.miss_cpu for one in checked)} if checked else {}
    return Asked(
        Plan(
            1,
            1.0,
            settings,
            _changed(Shape(), arguments.load),
            _changed(Mix(), arguments.mix),
            steps=QUICK_STEPS if arguments.quick else STEPS,
            seed=arguments.seed,
        ),
        tuple(round(number) for number in arguments.nodes),
        arguments.requests,
        _changed(Prices(), arguments.price),
        _changed(replace(Capacity(), **{**measured(), **told}), arguments.capacity),
        arguments.processes,
        1 if arguments.quick else DRAWS,
    )


def _changed(values: T, changes: list[str]) -> T:
    """Take ``NAME=VALUE`` over."""
    pairs = [change.partition("=") for change in changes]
    return replace(values, **{name: type(getattr(values, name))(float(text)) for name, _, text in pairs})


def _simulated(asked: Asked, pool: ProcessPoolExecutor, *, whole: bool) -> dict[str, Any]:
    plans = [replace(asked.base, nodes=n, requests=r) for n in asked.nodes for r in asked.requests]
    varied = _variations(asked.base) if whole else {}
    small = replace(asked.base, nodes=2, requests=1e6, settings=Settings(max_size=20 * 10**9))
    compared = {"every request": pool.submit(simulate_each, small)} if whole else {}
    drawn = [[pool.submit(simulate, one) for one in _draws(plan, asked.draws)] for plan in plans]
    others = [[pool.submit(simulate, one) for one in _draws(plan, 1)] for plan in varied.values()]
    for one in _draws(small, asked.draws) if whole else ():
        compared[f"sampled, seed {one.seed}"] = pool.submit(simulate, one)
    return {
        **_told(asked),
        "cells": [_cell(_mean(draws), asked, asked.base.settings) for draws in drawn],
        "settings": [
            {"changed": name, "cell": _cell(_mean(draws), asked, plan.settings)}
            for (name, plan), draws in zip(varied.items(), others, strict=True)
        ],
        "compared": {name: cell.result().as_dict() for name, cell in compared.items()},
    }


def _draws(plan: Plan, count: int) -> list[Plan]:
    return [replace(plan, seed=plan.seed + number) for number in range(count)]


def _mean(draws: list[Future[Cell]]) -> Cell:
    return mean_of([draw.result() for draw in draws])


def _variations(base: Plan) -> dict[str, Plan]:
    """Give plans that differ from one in a single setting."""
    plan = replace(base, nodes=VARIED[0], requests=VARIED[1])
    settings = plan.settings

    def changed(**changes: Any) -> Plan:
        return replace(plan, settings=replace(settings, **changes))

    return {
        "nothing": plan,
        "`max_size` 20 GB": changed(max_size=20 * 10**9),
        "`max_size` 500 GB": changed(max_size=500 * 10**9),
        "`shared_max_size` 500 GB": changed(shared_max_size=500 * 10**9),
        "`fresh_for` 1 minute": changed(policy=Policy(fresh_for=60.0)),
        "`fresh_for` 30 minutes": changed(policy=Policy(fresh_for=1800.0)),
        "nodes that share nothing": changed(alone=True),
    }


def _told(asked: Asked) -> dict[str, Any]:
    base = asked.base
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": base.seed,
        "machine": machine.describe(),
        "zipf": asdict(fit(read_downloads())),
        "load": {**asdict(base.shape), **asdict(base.mix), "peak": Day(base.shape).peak},
        "assumed": {
            "max_size": base.settings.max_size,
            "shared_max_size": base.settings.shared_max_size,
            "fresh_for": base.settings.policy.fresh_for,
        },
        "capacity": asdict(asked.capacity),
        "prices": asdict(asked.prices),
    }


def _cell(cell: Cell, asked: Asked, settings: Settings) -> dict[str, Any]:
    return {
        **cell.as_dict(),
        "is_alone": settings.alone,
        "cost": asdict(cost(cell, settings.max_size, asked.prices)),
        "resources": [asdict(resource) for resource in resources(cell, asked.capacity)],
    }


def _table(data: dict[str, Any]) -> Table:
    view = Table(*page.COLUMNS, "used up first", "", "moved by")
    for cell in data["cells"]:
        view.add_row(*page.plan_row(cell), *page.limit_row(cell)[2:5])
    return view


def _verdict(one: Checked) -> str:
    predicted, real = one.predicted, one.real
    return (
        f"{one.trial.requests} requests: hits predicted {100 * predicted.hit_ratio:.2f} %, real"
        f" {100 * real.hit_ratio:.2f} %; upstream predicted {predicted.upstream_requests} requests,"
        f" {predicted.upstream_bytes / 1e6:.2f} MB, real {real.upstream_requests},"
        f" {real.upstream_bytes / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    sys.exit(main())
