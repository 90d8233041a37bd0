"""Nodes whose clocks differ agree on what is fresh, and on who fetches."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.nodes.asking import body_of, get, wait_until
from tests.nodes.house import MEGABYTE, Nodes, Place

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not FAKETIME, reason="there is no libfaketime (Debian: faketime)"),
]


def at_clock(offset):
    """Give a place whose clock is off; what measures durations goes right."""
    variables = f"LD_PRELOAD={FAKETIME[0]}", f"FAKETIME={offset}", "FAKETIME_DONT_FAKE_MONOTONIC=1"
    return Place(within=("env", *variables))


@pytest.fixture
def house(engines, pypi, tmp_path):
    """Clocks ten minutes ahead, right, and ten minutes behind: storages refuse requests of 15 minutes."""
    places = (at_clock("+10m"), Place(), at_clock("-10m"))
    with Nodes(engines, pypi, tmp_path, places, CHEESEBOX_MIN_FREE="0", CHEESEBOX_FRESH_FOR="5m") as nodes:
        yield nodes


def fresh_for(node, path):
    """Give for how many seconds a node lets clients keep a page."""
    _, headers, _ = get(node, path)
    return int(re.search(r"max-age=(\d+)", headers["cache-control"])[1])


def test_a_page_is_as_fresh_at_every_node_whoever_fetched_it(pypi, house):
    for number, first in enumerate(house.nodes):
        page = f"/simple/demo{number}/"
        pypi.add_wheel(f"demo{number}", "1.0")
        left = fresh_for(first, f"/pypi{page}")
        wait_until(lambda count=number + 1: house.published() == count)
        assert all(left - 30 <= fresh_for(node, f"/pypi{page}") <= left for node in house.nodes)
        assert pypi.count(page) == 1


def test_a_file_is_fetched_once_for_all(pypi, house):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=3 * MEGABYTE)
    with ThreadPoolExecutor(12) as pool:
        nodes = [house.nodes[number % 3] for number in range(12)]
        files = list(pool.map(lambda node: body_of(node, f"/pypi{wheel.path}"), nodes))
    assert all(body == wheel.content for body in files)
    assert pypi.count(wheel.path) == 1


def test_a_node_whose_clock_no_storage_accepts_serves_by_itself_and_says_so(engines, pypi, tmp_path):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=MEGABYTE)
    places = (Place(), at_clock("+2h"))
    with Nodes(engines, pypi, tmp_path, places, CHEESEBOX_MIN_FREE="0") as house:
        right, wrong = house.nodes
        assert body_of(right, f"/pypi{wheel.path}") == wheel.content
        wait_until(lambda: house.published(".whl") == 1)
        assert body_of(wrong, f"/pypi{wheel.path}") == wheel.content
        assert pypi.count(wheel.path) <= 2
        wait_until(lambda: b"RequestTimeTooSkewed" in body_of(wrong, "/-/ready"))
        assert body_of(right, "/-/ready") == b"ready\n"
