"""A worker says what one process would say, and soon knows what the keeper knows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cheesebox.hashing import hash_password
from tests.fakes.pypi import FakePyPI
from tests.server.test_hot_lane import JSON, LAST, UV, Shop, etag_of, request, requests, targets
from tests.workers.house import WorkerLanes, worker_lanes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with FakePyPI() as pypi:
        small = pypi.add_wheel("demo", "1.0", size_padding=3000)
        middle = pypi.add_wheel("demo", "2.0", size_padding=90_000)
        large = pypi.add_wheel("other", "1.0", size_padding=700_000)
        yield Shop(pypi, (small, middle, large))


@pytest.fixture(scope="module")
def lanes(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerLanes]:
    with worker_lanes(tmp_path_factory.mktemp("cache"), shop.pypi.simple_url) as both:
        yield both


@given(st.lists(requests(), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_worker_says_what_the_keeper_says(
    lanes: WorkerLanes, shop: Shop, asked: list[tuple[str, int, list[tuple[str, str]]]]
) -> None:
    known = targets(shop)
    data = b""
    for method, number, fields in asked:
        target = known[number % len(known)]
        plain = [(name, value) for name, value in fields if name.lower() in ("accept", "accept-encoding")]
        etag = etag_of(lanes.ask_plain(request("GET", target, plain) + LAST))  # warms it up, too
        data += request(method, target, [(name, value.replace("ETAG", etag)) for name, value in fields])
    data += LAST
    expected = lanes.ask_plain(data)
    assert lanes.ask_plain(data) == expected
    assert lanes.ask_lane(data) == expected
    assert lanes.ask_lane(data) == expected


@pytest.mark.parametrize("target", ["/pypi/simple/demo/", "small file", "metadata", "mapped file"])
def test_a_repeated_request_reaches_neither_application(lanes: WorkerLanes, shop: Shop, target: str) -> None:
    small, _, large = shop.files
    named = {"small file": small.path, "metadata": small.metadata_path, "mapped file": large.path}
    if target in named:
        target = f"/pypi{named[target]}"
    data = request("GET", target, [("Accept", UV), ("Accept-Encoding", "gzip, deflate, zstd")])
    for _ in range(3):
        lanes.ask_lane(data + LAST)
    lanes.calls.clear()
    assert b"x-cache2: HIT" in lanes.ask_lane(data + LAST)
    assert lanes.calls == ["/-/health"]


def page(accept: str = JSON) -> bytes:
    return request("GET", "/pypi/simple/demo/", [("Accept", accept)])


def test_a_worker_does_not_repeat_a_page_that_is_not_fresh_any_more(tmp_path: Path) -> None:
    with FakePyPI() as pypi, worker_lanes(tmp_path, pypi.simple_url) as both:
        pypi.add_wheel("demo", "1.0")
        for _ in range(3):
            answer = both.ask_lane(page() + LAST)
        assert b"max-age=300" in answer
        both.running.clock.advance(299)
        assert b"max-age=1," in both.ask_lane(page() + LAST)
        both.running.clock.advance(1)
        assert b"x-cache2: REVALIDATED" in both.ask_lane(page() + LAST)


def test_a_page_that_came_by_another_way_replaces_what_a_worker_holds(tmp_path: Path) -> None:
    with FakePyPI() as pypi, worker_lanes(tmp_path, pypi.simple_url) as both:
        pypi.add_wheel("demo", "1.0")
        asked = [page(accept) for accept in (JSON, "text/html")]
        for data in asked * 3:
            both.ask_lane(data + LAST)
        pypi.add_wheel("demo", "2.0")
        both.running.clock.advance(11)
        refresh = request("GET", "/pypi/simple/demo/", [("Accept", JSON), ("Cache-Control", "no-cache")])
        both.ask_plain(refresh + LAST)
        for data in asked:
            assert b"demo-2.0" in both.ask_lane(data + LAST)


def test_a_worker_forgets_what_was_purged(tmp_path: Path) -> None:
    with FakePyPI() as pypi, worker_lanes(tmp_path, pypi.simple_url, admin_token="secret") as both:
        file = pypi.add_wheel("demo", "1.0")
        asked = [page(), request("GET", f"/pypi{file.path}", [])]
        for data in asked * 3:
            both.ask_lane(data + LAST)
        body = b'{"project": "demo"}'
        fields = [("Authorization", "Bearer secret"), ("Content-Length", str(len(body)))]
        purge = request("POST", "/-/api/v1/purge", [*fields, ("Content-Type", "application/json")])
        assert both.ask_lane(purge + body + LAST).startswith(b"HTTP/1.1 200")
        for data in asked:
            assert b"x-cache2: MISS" in both.ask_lane(data + LAST)


def test_a_worker_is_offline_when_the_keeper_is(tmp_path: Path) -> None:
    with FakePyPI() as pypi, worker_lanes(tmp_path, pypi.simple_url) as both:
        pypi.add_wheel("demo", "1.0")
        for _ in range(3):
            both.ask_lane(page() + LAST)
        both.running._loop.call_soon_threadsafe(both.running.app.connectivity.go_offline)
        both.running.call(asyncio.sleep(0))
        assert b"demo-1.0" not in both.ask_lane(page() + LAST)  # its files are not in the cache


def test_what_workers_answer_is_counted_once_and_by_the_keeper(tmp_path: Path) -> None:
    with FakePyPI() as pypi, worker_lanes(tmp_path, pypi.simple_url) as both:
        file = pypi.add_wheel("demo", "1.0")
        both.ask_lane(page() * 10 + LAST)
        both.ask_lane(request("GET", f"/pypi{file.path}", []) * 5 + LAST)
        both.running.call(both.house.worker.report())
        counted = both.running.app.statistics().answers
        assert counted["page", "MISS"][0] == 1
        assert counted["page", "HIT"][0] == 9
        assert counted["file", "MISS"][0] + counted["file", "HIT"][0] == 5
        assert both.running.app.statistics().codes[200] == 17
        sent = counted["file", "MISS"][1] + counted["file", "HIT"][1]
        assert sent == 5 * file.size
        catalogue = both.running.app._parts.shelf.catalogue
        catalogue.flush()
        [entry] = [entry for entry in catalogue.entries() if entry.key.endswith(".whl")]
        assert entry.hits >= 4


def test_only_the_worker_logs_and_with_the_clients_address(tmp_path: Path) -> None:
    with FakePyPI() as pypi, worker_lanes(tmp_path, pypi.simple_url) as both:
        pypi.add_wheel("demo", "1.0")
        both.ask_lane(page() * 3 + LAST)
        both.running.call(both.house.worker.stop())
        lines = [facts for _, facts in both.accesses if facts.path == "/pypi/simple/demo/"]
        assert [facts.cache for facts in lines] == ["MISS", "HIT", "HIT"]
        assert {facts.client for facts in lines} == {"127.0.0.1"}


def test_a_worker_lets_in_whom_the_keeper_has_let_in_and_nobody_else(tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text(f"ann:{hash_password(b'good', bytes(16))}\n")
    with (
        FakePyPI() as pypi,
        worker_lanes(tmp_path / "cache", pypi.simple_url, access_file=str(access)) as both,
    ):
        pypi.add_wheel("demo", "1.0")
        good = request("GET", "/pypi/simple/demo/", [("Authorization", "Basic YW5uOmdvb2Q=")])
        bad = request("GET", "/pypi/simple/demo/", [("Authorization", "Basic YW5uOmJhZA==")])
        for _ in range(3):
            assert b"demo-1.0" in both.ask_lane(good + LAST)
            assert b" 401 " in both.ask_lane(bad + LAST)
            assert b" 401 " in both.ask_lane(page() + LAST)
        both.calls.clear()
        assert b"private" in both.ask_lane(good + LAST)
        assert both.calls == ["/-/health"]
        assert both.running.app.access is not None
        both.running.app.access.door.renew(both.running.app.access.door._keys)
        both.calls.clear()
        both.ask_lane(good + LAST)
        assert both.calls[0] == "/pypi/simple/demo/"


def test_a_worker_goes_on_with_the_next_keeper(tmp_path: Path) -> None:
    with FakePyPI() as pypi, worker_lanes(tmp_path, pypi.simple_url) as both:
        pypi.add_wheel("demo", "1.0")
        both.ask_lane(page() + LAST)
        both.running.call(both.house.links.stop())
        both.running.call(both.house.revive())
        assert b"demo-1.0" in both.ask_lane(page("text/html") + LAST)
