"""Three real nodes on a real register and a real object storage: one request upstream, and no wrong byte."""

from __future__ import annotations

import http.client
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.clients.client import Client
from tests.clients.environments import PIPS, UV, prepare
from tests.fakes.faults import Hold, RateLimit, WrongBytes
from tests.nodes.asking import body_of, get, wait_until
from tests.nodes.house import MEGABYTE, Nodes

pytestmark = pytest.mark.timeout(240)

TOKEN = "a-token"


@pytest.fixture
def house(engines, pypi, tmp_path):
    engines.revive()
    with Nodes(engines, pypi, tmp_path, CHEESEBOX_MIN_FREE="0", CHEESEBOX_ADMIN_TOKEN=TOKEN) as nodes:
        yield nodes


def test_pages_and_files_are_fetched_once_for_all_nodes(pypi, house):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=3 * MEGABYTE)
    with ThreadPoolExecutor(30) as pool:
        nodes = [house.nodes[number % 3] for number in range(30)]
        pages = list(pool.map(lambda node: body_of(node, "/pypi/simple/demo/"), nodes))
        files = list(pool.map(lambda node: body_of(node, f"/pypi{wheel.path}"), nodes))
    assert len(set(pages)) == 1
    assert all(body == wheel.content for body in files)
    assert pypi.count("/simple/demo/") == 1
    assert pypi.count(wheel.path) == 1


def test_what_is_shared_is_served_by_a_new_empty_node_while_the_upstream_is_gone(pypi, house):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=100_000)
    first, second, _ = house.nodes
    page = body_of(first, "/pypi/simple/demo/")
    body_of(first, f"/pypi{wheel.path}")
    wait_until(lambda: house.published() == 2)
    pypi.go_down()
    assert body_of(second, "/pypi/simple/demo/") == page
    assert body_of(second, f"/pypi{wheel.path}") == wheel.content


def test_pip_and_uv_install_through_any_node_what_one_has_fetched_with_the_upstream_gone(
    pypi, house, tmp_path
):
    pypi.add_wheel("helper", "1.5")
    pypi.add_wheel("demo", "2.0", requires=["helper"])
    first, second, third = (f"{node.node_url}/pypi/simple/" for node in house.nodes)
    pip, uv = Client(prepare(PIPS[-1]), tmp_path / "pip"), Client(prepare(UV), tmp_path / "uv")
    pip.run("install", "--index-url", first, "--target", "installed", "demo")
    wait_until(lambda: house.published() == 6)  # two pages, two wheels, the metadata of both
    pypi.go_down()
    again = pip.fresh("pip-again")
    again.run("install", "--index-url", second, "--target", "installed", "demo")
    uv.run("pip", "install", "--default-index", third, "--target", "installed", "demo", UV_NO_CONFIG="1")
    for client in (again, uv):
        assert (client.project / "installed" / "helper-1.5.dist-info").is_dir()
        assert (client.project / "installed" / "demo" / "__init__.py").read_text() == '__version__ = "2.0"\n'


def test_other_nodes_read_from_the_one_that_is_fetching(pypi, house, gate):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=4 * MEGABYTE)
    pypi.fault(wheel.path, Hold(gate, after=2 * MEGABYTE))
    leader, follower, _ = house.nodes
    with ThreadPoolExecutor(1) as pool:
        leading = pool.submit(body_of, leader, f"/pypi{wheel.path}")
        gate.wait_reached()
        with urllib.request.urlopen(f"{follower.node_url}/pypi{wheel.path}") as response:
            begun = response.read(MEGABYTE)  # while the upstream has sent half
            gate.release()
            assert begun + response.read() == wheel.content
        assert leading.result() == wheel.content
    assert pypi.count(wheel.path) == 1


def test_a_download_goes_on_at_another_node_when_its_own_is_killed(pypi, house, gate):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=4 * MEGABYTE)
    pypi.fault(wheel.path, Hold(gate, after=2 * MEGABYTE), times=1)
    leader, follower, third = house.nodes
    with ThreadPoolExecutor(2) as pool:
        leading = pool.submit(get, leader, f"/pypi{wheel.path}")
        gate.wait_reached()
        following = pool.submit(body_of, follower, f"/pypi{wheel.path}")
        wait_until(lambda: house.size_of_part(follower) > MEGABYTE)
        leader.kill()
        gate.release()
        assert following.result(60) == wheel.content
        with pytest.raises((http.client.HTTPException, OSError)):
            leading.result(60)
    assert body_of(third, f"/pypi{wheel.path}") == wheel.content
    assert pypi.count(wheel.path) == 2


def test_bytes_that_fail_verification_are_shared_with_nobody(pypi, house):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=MEGABYTE)
    pypi.fault(wheel.path, WrongBytes(MEGABYTE // 2))
    for node in house.nodes:
        with pytest.raises(http.client.IncompleteRead):
            get(node, f"/pypi{wheel.path}")
    assert not house.published(".whl")
    pypi.heal()
    assert all(body_of(node, f"/pypi{wheel.path}") == wheel.content for node in house.nodes)


def test_nodes_go_on_by_themselves_without_the_register_and_say_so(pypi, house):
    wheels = [pypi.add_wheel("demo", f"{number}.0", size_padding=10_000) for number in range(4)]
    first, second, _ = house.nodes
    body_of(first, f"/pypi{wheels[0].path}")
    house.valkey.kill()
    assert all(body_of(node, f"/pypi{wheels[1].path}") == wheels[1].content for node in house.nodes)
    assert body_of(first, f"/pypi{wheels[0].path}") == wheels[0].content
    wait_until(lambda: b"the register fails" in body_of(second, "/-/ready"))
    house.valkey.start()
    wait_until(lambda: all(body_of(node, "/-/ready") == b"ready\n" for node in house.nodes))
    before = pypi.count(wheels[2].path)
    assert all(body_of(node, f"/pypi{wheels[2].path}") == wheels[2].content for node in house.nodes)
    assert pypi.count(wheels[2].path) == before + 1


def test_nodes_serve_files_without_the_storage(pypi, house):
    wheels = [pypi.add_wheel("demo", f"{number}.0", size_padding=200_000) for number in range(3)]
    first, second, _ = house.nodes
    body_of(first, f"/pypi{wheels[0].path}")
    wait_until(lambda: house.published(".whl") == 1)
    house.storage.kill()
    assert body_of(first, f"/pypi{wheels[0].path}") == wheels[0].content
    assert body_of(second, f"/pypi{wheels[0].path}") == wheels[0].content
    assert all(body_of(node, f"/pypi{wheels[1].path}") == wheels[1].content for node in house.nodes)
    wait_until(lambda: b"the object storage fails" in body_of(second, "/-/ready"))


def test_a_purge_reaches_every_node(pypi, house):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=10_000)
    for node in house.nodes:
        body_of(node, "/pypi/simple/demo/")
        body_of(node, f"/pypi{wheel.path}")
    wait_until(lambda: house.published() == 2)
    request = urllib.request.Request(
        f"{house.nodes[0].node_url}/-/api/v1/purge",
        data=b'{"project": "demo"}',
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
    )
    urllib.request.urlopen(request).close()
    pypi.add_wheel("demo", "2.0")
    wait_until(lambda: all(b"2.0" in body_of(node, "/pypi/simple/demo/") for node in house.nodes), seconds=5)
    assert body_of(house.nodes[1], f"/pypi{wheel.path}") == wheel.content
    assert pypi.count(wheel.path, "GET") == 2


def test_nodes_end_cleanly_in_the_middle_of_traffic(pypi, house):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=8 * MEGABYTE)
    pypi.fault(wheel.path, RateLimit(2 * MEGABYTE))
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(get, node, f"/pypi{wheel.path}") for node in house.nodes]
        pypi.wait_for_requests(wheel.path)
        time.sleep(1.0)
        codes = [node.stop() for node in house.nodes]
        for asked in running:
            asked.exception(30)
    assert codes == [0, 0, 0]
