"""Nodes that serve TLS read from each other over TLS, and only from whom they trust."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.fakes.certificates import Pair
from tests.fakes.faults import Hold
from tests.nodes.asking import body_of, wait_until
from tests.nodes.house import MEGABYTE, Nodes, Place

pytestmark = pytest.mark.timeout(240)

PLACES = (Place(scheme="https"),) * 2


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


@pytest.fixture
def wheel(pypi, gate):
    """One of which the upstream sends half until the gate is opened."""
    wheel = pypi.add_wheel("demo", "1.0", size_padding=4 * MEGABYTE)
    pypi.fault(wheel.path, Hold(gate, after=2 * MEGABYTE), times=1)
    return wheel


@pytest.fixture
def nodes_with(engines, pypi, tmp_path, pair, monkeypatch):
    """Run nodes with these settings, which the clients of the test trust."""

    @contextmanager
    def run(**env):
        tls = {"CHEESEBOX_TLS_CERT": str(pair.cert), "CHEESEBOX_TLS_KEY": str(pair.key)}
        with Nodes(engines, pypi, tmp_path, PLACES, CHEESEBOX_MIN_FREE="0", **tls, **env) as house:
            monkeypatch.setenv("SSL_CERT_FILE", str(pair.authority))
            yield house

    return run


@contextmanager
def asked_at_both(house, gate, wheel):
    """Have both nodes asked, the second while the first fetches; both give all after the block."""
    leader, follower = house.nodes
    with ThreadPoolExecutor(2) as pool:
        leading = pool.submit(body_of, leader, f"/pypi{wheel.path}")
        gate.wait_reached()
        following = pool.submit(body_of, follower, f"/pypi{wheel.path}")
        yield follower
        gate.release()
        assert leading.result(60) == following.result(60) == wheel.content


def test_a_node_reads_from_another_whose_certificate_it_trusts(pypi, nodes_with, pair, gate, wheel):
    with (
        nodes_with(CHEESEBOX_CA_BUNDLE=str(pair.authority)) as house,
        asked_at_both(house, gate, wheel) as follower,
    ):
        wait_until(lambda: house.size_of_part(follower) > MEGABYTE)
    assert pypi.count(wheel.path) == 1


def test_a_node_waits_for_what_another_shares_whose_certificate_it_does_not_trust(
    pypi, nodes_with, gate, wheel
):
    with nodes_with() as house, asked_at_both(house, gate, wheel) as follower:
        follower.wait_for_line("certificate")
        assert house.size_of_part(follower) == 0
    assert pypi.count(wheel.path) == 1
