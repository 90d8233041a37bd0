"""Nodes in network namespaces of their own, cut off from each other and from everything."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.faults import Hold
from tests.nodes.asking import body_of, get, wait_until
from tests.nodes.house import MEGABYTE, Nodes
from tests.nodes.network import Network, why_not

pytestmark = [pytest.mark.timeout(240), pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]


@pytest.fixture
def network(engines, pypi):
    ports = [int(url.rpartition(":")[2]) for url in (engines.valkey.url, engines.storage.endpoint, pypi.url)]
    with Network(3, ports) as network:
        yield network


@pytest.fixture
def house(engines, network, pypi, tmp_path):
    with Nodes(engines, pypi, tmp_path, network.places, CHEESEBOX_MIN_FREE="0") as nodes:
        yield nodes


def test_a_node_that_cannot_reach_the_one_that_is_fetching_takes_what_that_one_shares(
    pypi, house, network, gate
):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=2 * MEGABYTE)
    pypi.fault(wheel.path, Hold(gate, after=MEGABYTE))
    leader, follower, third = house.nodes
    network.cut_between(0, 1)
    with ThreadPoolExecutor(3) as pool:
        leading = pool.submit(body_of, leader, f"/pypi{wheel.path}")
        gate.wait_reached()
        following = pool.submit(body_of, follower, f"/pypi{wheel.path}")
        time.sleep(3)
        gate.release()
        assert leading.result(60) == following.result(60) == wheel.content
    assert body_of(third, f"/pypi{wheel.path}") == wheel.content
    assert pypi.count(wheel.path) == 1


def test_a_node_that_is_cut_off_while_it_fetches_is_replaced_and_does_no_harm_when_it_is_back(
    pypi, house, network, gate
):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=2 * MEGABYTE)
    pypi.fault(wheel.path, Hold(gate, after=MEGABYTE), times=1)
    leader, follower, third = house.nodes
    with ThreadPoolExecutor(3) as pool:
        leading = pool.submit(get, leader, f"/pypi{wheel.path}")
        gate.wait_reached()
        following = pool.submit(body_of, follower, f"/pypi{wheel.path}")
        wait_until(lambda: house.size_of_part(follower) > 0)
        network.cut(0)
        assert following.result(90) == wheel.content
        network.mend(0)
        gate.release()
        try:
            status, _, body = leading.result(90)
            assert (status, body) == (200, wheel.content)
        except (http.client.HTTPException, OSError):
            pass  # its client was cut off for longer than TCP takes
    assert pypi.count(wheel.path) == 2
    wait_until(lambda: house.published(".whl") == 1)
    assert all(body_of(node, f"/pypi{wheel.path}") == wheel.content for node in (leader, follower, third))
