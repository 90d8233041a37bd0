"""What a node tells of the engines that it shares: in metrics, in the API, on the dashboard."""

from __future__ import annotations

import json
import time

import pytest

from cheesebox.adapters.object_storage import open_object_storage
from tests.web.dashboard.markup import Page
from tests.web.nodes import shared_engines
from tests.web.test_metrics import families, scrape


@pytest.fixture
def shared(tmp_path, pypi):
    with shared_engines(tmp_path, pypi.simple_url) as engines:
        yield engines


@pytest.fixture
def wheel(pypi):
    return pypi.add_wheel("demo", "1.0")


def nodes_of(box):
    return json.loads(box.get("/-/api/v1/overview").body)["nodes"]


def until(told):
    """Wait until what happens in the background is told."""
    end = time.monotonic() + 10
    while not (found := told()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)
    return found


def bodies(box, way):
    return scrape(box)["cheesebox_shared_bodies_total", way]


def test_who_fetches_counts_as_leading_and_who_comes_later_as_bringing(shared, wheel):
    first, second = shared.node(), shared.node()
    assert first.get(f"/pypi{wheel.path}").status == 200
    until(lambda: bodies(first, "published") == 2)  # the page and the file
    assert second.get(f"/pypi{wheel.path}").status == 200
    assert (bodies(first, "led"), bodies(first, "brought")) == (2, 0)
    assert (bodies(second, "led"), bodies(second, "brought")) == (0, 2)
    assert nodes_of(second)["together"]["brought"] == 2
    assert nodes_of(first)["together"]["published"] == 2


def test_one_node_keeps_the_store_and_tells_how_much_there_is(shared, wheel):
    first = shared.node(shared_max_size="1GB")
    until(lambda: scrape(first)["cheesebox_shared_keeping",])
    second = shared.node(shared_max_size="1GB")
    first.get(f"/pypi{wheel.path}")
    seen = until(lambda: (s := scrape(first)).get(("cheesebox_shared_stored_entries",)) is not None and s)
    assert seen["cheesebox_shared_stored_max_bytes",] == 10**9
    assert seen["cheesebox_shared_evicted_entries_total",] == 0
    assert seen["cheesebox_shared_objects_total", "orphaned"] == 0
    other = scrape(second)
    assert other["cheesebox_shared_keeping",] == 0
    assert ("cheesebox_shared_stored_bytes",) not in other
    assert nodes_of(first)["keeping"]["is_leading"]
    assert nodes_of(first)["max_size"] == 10**9
    assert nodes_of(second)["size"] is None


def test_an_engine_that_fails_is_told_everywhere_until_it_is_back(shared, wheel):
    box = shared.node()
    assert scrape(box)["cheesebox_engine_up", "register"] == 1
    shared.valkey.kill()
    assert box.get(f"/pypi{wheel.path}").status == 200
    seen = scrape(box)
    assert (seen["cheesebox_engine_up", "register"], seen["cheesebox_engine_up", "storage"]) == (0, 1)
    assert seen["cheesebox_engine_failures_total", "register"] >= 1
    engines = {engine["name"]: engine for engine in nodes_of(box)["engines"]}
    assert engines["register"]["trouble"].startswith("the register valkey://127.0.0.1:")
    assert engines["storage"]["trouble"] == ""
    home = Page(box.get("/-/").body.decode())
    assert any(
        "The register fails" in each.text for each in home.all("p") if each.get("class") == "alert bad"
    )
    assert "the register fails" in box.get("/-/ready").body.decode()
    shared.valkey.start()
    until(lambda: scrape(box)["cheesebox_engine_up", "register"] == 1)
    assert "The register fails" not in box.get("/-/").body.decode()


def test_a_node_without_others_has_the_families_and_no_samples(launch, shared):
    alone, node = launch(), shared.node()
    assert families(alone).keys() == families(node).keys()
    assert not [name for name, *_ in scrape(alone) if name.startswith(("cheesebox_shared", "cheesebox_eng"))]
    assert nodes_of(alone) is None
    assert 'id="nodes"' not in alone.get("/-/").body.decode()
    assert 'id="nodes"' in node.get("/-/").body.decode()


def test_what_the_engines_are_asked_is_counted_by_operation(shared, wheel):
    shared.objects = open_object_storage("memory:///", {})
    box = shared.node()
    assert box.get(f"/pypi{wheel.path}").status == 200
    until(lambda: bodies(box, "published") == 2)
    seen = scrape(box)
    assert seen["cheesebox_engine_operations_total", "claim", "register"] == 2
    assert seen["cheesebox_engine_operations_total", "publish", "register"] == 2
    assert seen["cheesebox_engine_operations_total", "put", "storage"] == 2
    assert seen["cheesebox_engine_errors_total", "storage"] == 0
    assert seen["cheesebox_shared_carried_bytes_total", "up"] > len(wheel.content)
    assert seen["cheesebox_shared_carried_bytes_total", "down"] == 0
