"""Three nodes, two hundred clients, a thousand objects, and nothing that stays up for long."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from contextlib import suppress

import pytest

from tests.nodes.chaos import Clients, Disturbance, Offer
from tests.nodes.house import Nodes, running_engines

pytestmark = [pytest.mark.crash, pytest.mark.timeout(400)]

PROJECTS = 100
VERSIONS = 9
CLIENTS = 200
REQUESTS = int(os.environ.get("CHAOS_REQUESTS", "40"))
"""Of each client; half a second apart."""
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


def test_no_byte_is_wrong_and_no_client_notices_while_everything_is_killed_and_paused(pypi, tmp_path):
    offers = offers_of(pypi)
    asked = timed_requests(pypi)
    env = {"CHEESEBOX_MIN_FREE": "0", "CHEESEBOX_FRESH_FOR": "1h", "CHEESEBOX_EXTRACT_METADATA": "false"}
    with (
        running_engines(tmp_path, appendonly="yes") as engines,
        Nodes(engines, pypi, tmp_path, 3, **env) as house,
    ):

        async def chaos():
            clients = Clients(house.nodes, offers, CLIENTS, REQUESTS, SEED)
            disturbance = Disturbance(house, clients, SEED)
            disturbing = asyncio.create_task(disturbance.run())
            outcome = await clients.run()
            disturbing.cancel()
            with suppress(asyncio.CancelledError):
                await disturbing
            return outcome, disturbance

        outcome, disturbance = asyncio.run(chaos())
        engines.revive()
        for node in house.nodes:
            node.resume()
        codes = [node.stop() for node in house.nodes]
    extra = further_requests(asked, disturbance)
    told = (
        f"{outcome.served} answers, {outcome.excused} cut by a kill; {len(asked)} requests upstream for "
        f"{len({path for _, path in asked})} objects, {extra} of them again though the engines were well, "
        f"{disturbance.takeovers} takeovers; {len(disturbance.told)} disturbances"
    )
    sys.stdout.write("\n".join([told, *disturbance.told, ""]))  # pytest shows it with -rP, or on failure
    assert not outcome.wrong
    assert not outcome.failures, "\n".join(
        [str(len(outcome.failures)), *outcome.failures[:3], *outcome.failures[-3:]]
    )
    assert outcome.served + outcome.excused == CLIENTS * REQUESTS
    assert extra <= disturbance.takeovers, told
    assert codes == [0, 0, 0]


def further_requests(asked, disturbance):
    """Count requests for what was asked for before, at times when no engine had failed."""
    seen, extra = Counter(), 0
    for at, path in sorted(asked):
        if seen[path] and not disturbance.is_outage(at):
            extra += 1
        seen[path] += 1
    return extra
