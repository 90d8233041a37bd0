"""Three nodes, two hundred clients, a thousand objects, and nothing that stays up for long."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from contextlib import suppress

import pytest

from tests.nodes.chaos import GOES_ON, Clients, Disturbance, Offer
from tests.nodes.house import Nodes, running_engines

pytestmark = [pytest.mark.crash, pytest.mark.timeout(400)]

PROJECTS = 100
VERSIONS = 9
CLIENTS = 200
REQUESTS = int(os.environ.get("CHAOS_REQUESTS", "30"))
"""Of each client; half a second apart."""
CALL_TAKES = 4.0
"""Seconds until a call of an engine that does not answer has failed."""
SEED = int(os.environ.get("CHAOS_SEED", "20261123"))


def offers_of(pypi):
    wheels = [
        pypi.add_wheel(f"demo{project}", f"{version}.0", size_padding=1000 << (version + 1))
        for project in range(PROJECTS)
        for version in range(VERSIONS)
    ]
    pages = [Offer(f"simple/demo{project}/", None) for project in range(PROJECTS)]
    return pages + [Offer(wheel.path.lstrip("/"), wheel.content) for wheel in wheels]


def timed_requests(pypi):
    """Have the upstream note when each path is asked for."""
    asked = []
    note = pypi._note

    def noting(head):
        request = note(head)
        asked.append((time.monotonic(), request.path))
        return request

    pypi._note = noting
    return asked


@pytest.mark.parametrize("ails", ["nodes", "nodes and engines"])
def test_no_byte_is_wrong_and_no_client_notices_while_all_is_killed_and_paused(pypi, tmp_path, ails):
    offers = offers_of(pypi)
    asked = timed_requests(pypi)
    env = {"CHEESEBOX_MIN_FREE": "0", "CHEESEBOX_FRESH_FOR": "1h", "CHEESEBOX_EXTRACT_METADATA": "false"}
    with (
        running_engines(tmp_path, appendonly="yes") as engines,
        Nodes(engines, pypi, tmp_path, **env) as house,
    ):
        clients = Clients(house.nodes, offers, CLIENTS, REQUESTS, SEED)
        disturbance = Disturbance(house, clients, SEED, with_engines="engines" in ails)
        outcome = asyncio.run(disturbed(clients, disturbance))
        engines.revive()
        for node in house.nodes:
            node.resume()
        codes = [node.stop() for node in house.nodes]
    disturbance.outages += [outage for node in house.nodes for outage in failures_told(node)]
    extra = further_requests(asked, disturbance)
    told = (
        f"{outcome.served} answers, {outcome.excused} cut by a kill; {len(asked)} requests upstream for "
        f"{len({path for _, path in asked})} objects, {extra} of them again though the engines were well, "
        f"{disturbance.takeovers} takeovers; {len(disturbance.told)} disturbances"
    )
    sys.stdout.write("\n".join([told, *disturbance.told, ""]))  # pytest shows it with -rP, or on failure
    assert not outcome.wrong
    assert not outcome.failures, f"{len(outcome.failures)}, such as {outcome.failures[:5]}"
    assert outcome.served + outcome.excused == CLIENTS * REQUESTS
    assert extra <= disturbance.takeovers, told
    objects = len({path for _, path in asked})
    assert len(asked) <= len(house.nodes) * objects + disturbance.takeovers, told
    assert codes == [0, 0, 0]


async def disturbed(clients, disturbance):
    """Run the clients, and disturb what they depend on until they have all they want."""
    disturbing = asyncio.create_task(disturbance.run())
    outcome = await clients.run()
    disturbing.cancel()
    with suppress(asyncio.CancelledError):
        await disturbing
    return outcome


def failures_told(node):
    """Give the times in which a node has found an engine slow or gone, by its own word."""
    now, monotonic = time.time(), time.monotonic()
    for line in node.log_lines():
        if "goes on by itself" in line:
            clock = time.strptime(line[:8], "%H:%M:%S")
            today = time.localtime(now)
            ago = (today.tm_hour - clock.tm_hour) * 3600 + (today.tm_min - clock.tm_min) * 60
            ago = (ago + today.tm_sec - clock.tm_sec) % 86400
            yield monotonic - ago - CALL_TAKES, monotonic - ago + GOES_ON


def further_requests(asked, disturbance):
    """Count requests for what was asked for before, at times when no engine had failed."""
    seen, extra = Counter(), 0
    for at, path in sorted(asked):
        if seen[path] and not disturbance.is_outage(at):
            extra += 1
        seen[path] += 1
    return extra
