"""Two workers against one process: how much of two cores comes out as answers.

The machine has two cores and the load needs one of them. So both workers share the core that the one
process has in its turn, where they have always something to do, as they would with a core each; what
switching between them costs is in it. Requests are counted by the second of CPU time that the servers
took, since two processes get more of a core than one beside what else runs there. Twice what two workers
give for a second is what two cores would give. In the notes: the same with the workers on both cores
beside the load, where they wait for it much of the time.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from bench import http, wrk
from bench.checks import check_page
from bench.links import NEAR
from bench.processes import SERVER_CORE
from bench.results import Group, Measurement, Row, in_turn, ratios

if TYPE_CHECKING:
    from bench.lab import Lab
    from bench.peers.base import Running

WORKERS = 2
CONNECTIONS = WORKERS * wrk.CONNECTIONS  # each worker has as many as the one process has in other rows
PROJECTS = {"page-18k": "18 KB", "page-96k": "96 KB"}


def _measure(lab: Lab, project: str) -> list[Measurement]:
    one, many = lab.subject(), lab.subject(NEAR, "--workers", str(WORKERS))
    for running in (one, many):
        check_page(lab, running, project)

    def load(running: Running) -> float:
        return _by_cpu_second(lab, running, project)

    pairs = in_turn(lab.options.pairs, lambda: WORKERS * load(many), partial(load, one))
    _pin(many, set(range(os.cpu_count() or 1)))
    beside = _by_cpu_second(lab, many, project)
    _pin(many, {SERVER_CORE})
    return [ratios(pairs, beside_the_load=beside)]


def _by_cpu_second(lab: Lab, running: Running, project: str) -> float:
    before = running.process.cpu_seconds()
    told = wrk.run(running.page(project), http.UV_PAGE, lab.options.seconds, connections=CONNECTIONS)
    return told.rate * max(1, round(lab.options.seconds)) / (running.process.cpu_seconds() - before)


def _pin(running: Running, cores: set[int]) -> None:
    for process in running.process.tree():
        os.sched_setaffinity(process, cores)


def _group(project: str, size: str) -> Group:
    row = Row(
        f"workers.{project.removeprefix('page-')}",
        f"hot page {size}, two workers on two cores",
        "one process",
        ">=",
        1.8,
        quantity="requests/CPU s",
    )
    return Group((row,), partial(_measure, project=project))


GROUPS = tuple(_group(project, size) for project, size in PROJECTS.items())
