from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cache.freshness import Policy
from cheesebox.cache.mirrors import Mirrors, Trouble, order
from tests.fakes.faults import Delay, Hold, Status, WrongBytes
from tests.fakes.faults import Gate as FaultGate

if TYPE_CHECKING:
    from tests.fakes.pypi import FakePyPI

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
PAGE = "/pypi/simple/demo/"

troubles = st.dictionaries(
    st.integers(0, 5), st.builds(Trouble, st.integers(1, 9), st.floats(0, 100)), max_size=6
)


@given(troubles, st.floats(0, 100), st.booleans())
def test_every_mirror_is_asked_once_and_the_well_ones_first(troubles, now, probing):
    turns = order(6, troubles, now, probing=probing)
    assert sorted(turns) == list(range(6))
    well = [number for number in range(6) if number not in troubles]
    resting = [number for number, trouble in troubles.items() if now < trouble.retry_at]
    assert [number for number in turns if number in well] == well
    assert set(turns[6 - len(resting) :]) == set(resting)


@given(troubles, st.floats(0, 100))
def test_a_mirror_on_probation_has_its_old_place_for_those_who_can_wait(troubles, now):
    ready = [number for number in range(6) if number not in troubles or now >= troubles[number].retry_at]
    assert list(order(6, troubles, now, probing=True)[: len(ready)]) == ready


def test_failures_that_come_while_a_mirror_rests_do_not_lengthen_its_rest():
    clock = iter([0.0, 1.0, 2.0, 5.0, 5.0]).__next__
    mirrors = Mirrors(2, Policy(retry_after=5.0), clock)
    for _ in range(3):
        mirrors.failed(0)
    assert mirrors.order(probing=True) == (0, 1)
    assert mirrors.order(probing=False) == (1, 0)


def test_a_recovered_mirror_is_forgiven_at_once():
    mirrors = Mirrors(2, Policy(), lambda: 0.0)
    mirrors.failed(0)
    assert mirrors.order() == (1, 0)
    mirrors.succeeded(0)
    assert mirrors.order() == (0, 1)


@pytest.fixture
def pair(doubles) -> tuple[FakePyPI, FakePyPI]:
    """Two mirrors of one index: the same file, other serials."""
    first, second = doubles(), doubles()
    for mirror in (first, second):
        mirror.add_wheel("demo", "1.0")
    second.touch("demo")
    return first, second


@pytest.fixture
def box(serve, pair):
    first, second = pair
    return serve(f'upstreams = ["{first.simple_url}", "{second.simple_url}"]\nretry_after = "5s"\n')


def get_json(box, path, **headers):
    return box.get(path, Accept=SIMPLE_JSON, **headers)


def link(box) -> str:
    return json.loads(get_json(box, PAGE).body)["files"][0]["url"]


def test_the_first_mirror_alone_is_asked_while_it_is_well(box, pair):
    box.follow(PAGE, link(box))
    assert pair[1].requests == []


@pytest.mark.parametrize("fault", ["down", Status(500), Status(503)])
def test_the_next_mirror_answers_when_the_first_fails(box, pair, fault):
    first, second = pair
    first.go_down() if fault == "down" else first.fault("*", fault)
    answer = get_json(box, PAGE)
    assert (answer.status, answer["x-cache2"]) == (200, "MISS")
    assert answer["x-pypi-last-serial"] == str(second.serial_of("demo"))


def test_a_mirror_that_is_too_slow_is_passed_over(serve, pair):
    first, second = pair
    gate = FaultGate()
    first.fault("*", Hold(gate))
    box = serve(f'upstreams = ["{first.simple_url}", "{second.simple_url}"]', read_timeout="200ms")
    assert get_json(box, PAGE).status == 200
    gate.release()


@pytest.mark.parametrize("status", [404, 403])
def test_a_refusal_is_an_answer_and_no_other_mirror_is_asked(box, pair, status):
    pair[0].fault("*", Status(status))
    assert get_json(box, PAGE).status == {404: 404, 403: 502}[status]
    assert pair[1].requests == []


def test_when_all_mirrors_fail_the_trouble_is_told(box, pair):
    for mirror in pair:
        mirror.go_down()
    assert get_json(box, PAGE).status == 502


def test_a_failed_mirror_is_left_alone_for_its_back_off_and_asked_first_by_the_next_refresh(box, pair):
    first, second = pair
    first.fault("*", Status(500), times=1)
    get_json(box, PAGE)
    first.clear()
    box.clock.advance(1)
    assert get_json(box, "/pypi/simple/other/").status == 404
    assert first.requests == []
    box.clock.advance(301)
    assert get_json(box, PAGE)["x-cache2"] == "EXPIRED"
    assert first.count("/simple/demo/") == 1
    get_json(box, "/pypi/simple/third/")
    assert first.count("/simple/third/") == 1
    assert second.count("/simple/third/") == 0


def test_nobody_waits_for_a_mirror_on_probation_who_has_no_copy_to_be_given(box, pair):
    first, _ = pair
    first.go_down()
    get_json(box, PAGE)
    box.clock.advance(10)
    first.come_back()
    first.fault("*", Delay(30))
    assert get_json(box, "/pypi/simple/other/").status == 404
    assert first.count("/simple/other/") == 0


def test_validators_and_serials_of_one_mirror_mean_nothing_to_another(box, pair):
    first, second = pair
    for _ in range(5):
        first.touch("demo")
    get_json(box, PAGE)
    box.clock.advance(301)
    first.go_down()
    answer = get_json(box, PAGE)
    assert (answer.status, answer["x-cache2"]) == (200, "EXPIRED")
    assert int(answer["x-pypi-last-serial"]) == second.serial_of("demo") < first.serial_of("demo")
    assert "if-none-match" not in second.requests[-1].headers
    box.clock.advance(301)
    assert get_json(box, PAGE)["x-cache2"] == "REVALIDATED"
    assert "if-none-match" in second.requests[-1].headers


def test_a_copy_of_another_mirror_is_served_while_all_are_down(box, pair):
    pair[0].go_down()
    get_json(box, PAGE)
    pair[1].go_down()
    box.clock.advance(301)
    assert get_json(box, PAGE)["x-cache2"] == "STALE"


def test_a_download_falls_over_to_the_next_mirrors_files(box, pair):
    first, second = pair
    reference = link(box)
    first.go_down()
    answer = box.follow(PAGE, reference)
    assert answer.status == 200
    assert second.count("/packages/*") == 1


def test_a_download_that_is_cut_goes_on_at_the_next_mirror(serve, doubles):
    first, second = doubles(), doubles()
    for mirror in (first, second):
        file = mirror.add_wheel("demo", "1.0", size_padding=400_000)
    box = serve(f'upstreams = ["{first.simple_url}", "{second.simple_url}"]')
    reference = link(box)
    gate = FaultGate()
    first.fault("/packages/*", Hold(gate, after=200_000))
    with box.begin("/pypi/" + reference.removeprefix("../../")) as response:
        received = response.read(1000)
        first.wait_for_requests("/packages/*")
        gate.wait_reached()
        first.go_down()
        received += response.read()
    assert received == file.content
    (resumed,) = [request for request in second.requests if request.path.startswith("/packages/")]
    assert resumed.headers["range"].startswith("bytes=")
    assert "if-range" not in resumed.headers


def test_a_file_that_one_mirror_does_not_have_yet_is_taken_from_the_next(box, pair):
    reference = link(box)
    pair[0].fault("/packages/*", Status(404))
    assert box.follow(PAGE, reference).status == 200


def test_a_mirror_with_wrong_bytes_is_passed_over_by_the_next_download(box, pair):
    reference = link(box)
    pair[0].fault("/packages/*.whl", WrongBytes())
    assert box.follow(PAGE, reference).status == 502
    assert box.follow(PAGE, reference).status == 200


def test_a_slice_and_a_head_fall_over_too(serve, doubles):
    first, second = doubles(), doubles()
    for mirror in (first, second):
        file = mirror.add_wheel("demo", "1.0", size_padding=3_000_000)
    box = serve(f'upstreams = ["{first.simple_url}", "{second.simple_url}"]')
    path = "/pypi/" + link(box).removeprefix("../../")
    first.fault("/packages/*", Status(503))
    assert box.head(path)["content-length"] == str(len(file.content))
    assert box.get(path, Range="bytes=-10").body == file.content[-10:]
