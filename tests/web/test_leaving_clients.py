"""Clients that leave: a relay ends with its client, a download does not."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.distributions import incompressible
from tests.fakes.faults import Hold

SIZE = 3 * 1024 * 1024
HELD = 2_000_000


@pytest.fixture
def wheel(pypi):
    return pypi.add_file("large", "large-1.0-py3-none-any.whl", incompressible(SIZE, seed="x"))


@pytest.fixture
def cold(box, wheel):
    assert wheel.filename in box.get("/pypi/simple/large/").body.decode()
    return box


def test_a_relay_ends_when_its_client_leaves(cold, pypi, wheel, gate):
    assert cold.head(f"/pypi{wheel.path}").status == 200
    pypi.wait_for_answers(2)
    pypi.clear()
    pypi.fault(wheel.path, Hold(gate, after=100_000), times=1)
    with cold.begin(f"/pypi{wheel.path}", range=f"bytes=0-{SIZE - 2}") as response:
        assert response.status == 206
        assert response.headers["x-cache2"] == "BYPASS"
        assert response.read(1000) == wheel.content[:1000]
        response.close()
    gate.wait_reached()
    assert _eventually_counted(cold, "BYPASS") < SIZE - 1  # while the upstream's answer is held
    gate.release()
    (answer,) = pypi.wait_for_answers(1)

    assert (answer.status, answer.complete, pypi.count(wheel.path)) == (206, False, 1)


def _eventually_counted(box, verdict):
    """Count the bytes of the one answer once it has ended; the server's loop is asked, nothing is slept."""

    async def ended():
        while ("file", verdict) not in (counted := box.app.statistics().answers):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0)
        return counted["file", verdict][1]

    return box.call(ended())


def test_a_download_goes_on_when_its_only_client_leaves(cold, pypi, wheel, gate):
    pypi.fault(wheel.path, Hold(gate, after=HELD))
    with cold.begin(f"/pypi{wheel.path}") as response:
        assert response.read(1000) == wheel.content[:1000]
        gate.wait_reached()
    assert _eventually_counted(cold, "MISS") < SIZE
    gate.release()

    assert cold.get(f"/pypi{wheel.path}").body == wheel.content
    assert pypi.count(wheel.path) == 1


def test_a_client_that_leaves_does_not_disturb_the_others(cold, pypi, wheel, gate):
    pypi.fault(wheel.path, Hold(gate, after=HELD))
    with cold.begin(f"/pypi{wheel.path}") as staying:
        with cold.begin(f"/pypi{wheel.path}") as leaving:
            assert leaving.read(1000) == wheel.content[:1000]
        gate.release()
        assert staying.read() == wheel.content
    assert pypi.count(wheel.path) == 1


def test_every_answer_is_logged_and_counted(launch, pypi):
    wheel = pypi.add_wheel("six", "1.0")
    accesses = []
    box = launch(accesses=accesses)
    box.get("/pypi/simple/six/")
    box.get("/pypi/simple/six/?format=text/html")
    box.get(f"/pypi{wheel.path}")
    box.get(f"/pypi{wheel.metadata_path}")
    box.head(f"/pypi{wheel.path}")
    box.get("/pypi/simple/no*/")
    box.get("/pypi/pypi/six/json")
    box.get("/pypi/simple/")

    async def flush():
        box.app._access_log.flush()

    box.call(flush())
    facts = [facts for _, facts in accesses]
    assert [(a.method, a.path, a.status, a.cache, a.client) for a in facts] == [
        ("GET", "/pypi/simple/six/", 200, "MISS", "127.0.0.1"),
        ("GET", "/pypi/simple/six/", 200, "HIT", "127.0.0.1"),
        ("GET", f"/pypi{wheel.path}", 200, "MISS", "127.0.0.1"),
        ("GET", f"/pypi{wheel.metadata_path}", 200, "MISS", "127.0.0.1"),
        ("HEAD", f"/pypi{wheel.path}", 200, "HIT", "127.0.0.1"),
        ("GET", "/pypi/simple/no*/", 404, "-", "127.0.0.1"),
        ("GET", "/pypi/pypi/six/json", 200, "MISS", "127.0.0.1"),
        ("GET", "/pypi/simple/", 200, "MISS", "127.0.0.1"),
    ]
    assert [a.bytes for a in facts[2:5]] == [wheel.size, len(wheel.metadata), 0]
    assert all(a.ms >= 0 for a in facts)
    counted = box.app.statistics().answers
    assert counted["page", "HIT"][0] == counted["json", "MISS"][0] == counted["list", "MISS"][0] == 1
    assert counted["file", "MISS"] == (1, wheel.size)
    assert counted["metadata", "MISS"] == (1, len(wheel.metadata))
