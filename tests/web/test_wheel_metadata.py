"""Core metadata where the upstream has none, over HTTP (PEP 658)."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.distributions import metadata_in, wheel_without_metadata
from tests.fakes.faults import Hold, HtmlOnly, NoRanges, Status, Truncate, WrongBytes
from tests.web.running import run_app

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
PAGE = "/pypi/simple/six/"
MEGABYTE = 1024 * 1024
UNREADABLE = (
    b"Metadata-Version: 2.1\nName: six\nVersion: 9.0\n"
    b"Requires-Dist: this wheel has no core metadata that can be read\n"
)


@pytest.fixture
def six(pypi):
    """A wheel too large to be read whole in passing, whose index has no metadata for it."""
    return pypi.add_wheel("six", "1.0", metadata=False, size_padding=3 * MEGABYTE)


@pytest.fixture
def broken(pypi):
    """A wheel without metadata."""
    return pypi.add_file("six", "six-9.0-py3-none-any.whl", wheel_without_metadata(), version="9.0")


def advertised(box, path=PAGE):
    files = json.loads(box.get(path, accept=JSON).body)["files"]
    return {file["filename"]: file["core-metadata"] for file in files}


def metadata_url(file):
    return f"/pypi{file.metadata_path}"


def sha256_of(file):
    return hashlib.sha256(file.metadata).hexdigest()


def is_ready(box, path, accept=b""):
    return box.app.hot_lane.find(path.encode(), (accept, b"")) is not None


def sent(pypi):
    """Bytes of bodies that the upstream sent of wheels."""
    return sum(a.body_size for a in list(pypi.answers) if a.request.path.endswith(".whl"))


# ── what pages say ──────────────────────────────────────────────────────────────────────────────


def test_pages_advertise_metadata_for_every_wheel_and_for_nothing_else(launch, pypi, six):
    own = pypi.add_wheel("six", "2.0")
    sdist = pypi.add_sdist("six", "1.0")
    stranger = pypi.add_file("six", "seven-1.0-py3-none-any.whl", six.content)
    elsewhere = pypi.add_file("six", "six-1.1-py3-none-any.whl", six.content, path="/packages/get/7.whl")
    box = launch()
    shown = advertised(box)
    assert shown[six.filename] is True
    assert list(shown[own.filename]) == ["sha256"]
    assert shown[sdist.filename] is shown[stranger.filename] is shown[elsewhere.filename] is False
    entry = json.loads(box.get(PAGE, accept=JSON).body)["files"][0]
    assert entry["data-dist-info-metadata"] is True
    html = box.get(PAGE, accept=HTML).body.decode()
    assert html.count('data-dist-info-metadata="true" data-core-metadata="true"') == 1


def test_nothing_is_offered_where_it_is_switched_off(launch, six):
    box = launch(extract_metadata="false")
    assert advertised(box) == {six.filename: False}
    assert box.get(metadata_url(six)).status == 404


def test_pages_of_an_html_index_advertise_metadata_too(launch, pypi, six):
    pypi.fault("/simple/*", HtmlOnly())
    box = launch()
    assert advertised(box) == {six.filename: True}
    assert box.get(metadata_url(six)).body == metadata_in(six.content)


# ── reading it ──────────────────────────────────────────────────────────────────────────────────


def test_metadata_is_read_from_the_end_of_the_wheel_and_kept_for_ever(launch, pypi, six):
    box = launch()
    first = box.get(metadata_url(six))
    assert (first.status, first.body, first["x-cache2"]) == (200, metadata_in(six.content), "MISS")
    assert sent(pypi) <= 64 * 1024
    assert pypi.count("*.whl", "GET") == 1
    pypi.go_down()
    second = box.get(metadata_url(six))
    assert (second.body, second["x-cache2"]) == (metadata_in(six.content), "HIT")
    assert second["etag"] == first["etag"]
    assert second["cache-control"] == first["cache-control"] == "max-age=365000000, immutable, public"
    assert is_ready(box, metadata_url(six))


def test_metadata_outlives_a_restart(tmp_path, pypi, six):
    with run_app(tmp_path / "cache", pypi.simple_url) as box:
        assert box.get(metadata_url(six)).status == 200
    pypi.go_down()
    with run_app(tmp_path / "cache", pypi.simple_url) as box:
        assert box.get(metadata_url(six)).body == metadata_in(six.content)


def test_a_wheel_far_larger_than_its_directory_costs_a_few_small_slices(launch, pypi):
    files = {f"six/data/{number:05}.bin": b"" for number in range(4000)}
    wheel = pypi.add_wheel("six", "3.0", metadata=False, size_padding=3 * MEGABYTE, extra_files=files)
    assert launch().get(metadata_url(wheel)).body == metadata_in(wheel.content)
    assert pypi.count("*.whl", "GET") <= 3
    assert sent(pypi) <= MEGABYTE


def test_many_who_ask_at_once_share_one_reading(launch, pypi, six, gate):
    box = launch()
    box.get(PAGE)
    pypi.fault(six.path, Hold(gate))
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(box.get, metadata_url(six)) for _ in range(8)]
        gate.wait_reached()
        gate.release()
        answers = [each.result() for each in asked]
    assert {answer.body for answer in answers} == {metadata_in(six.content)}
    assert pypi.count(six.path) == 1


def test_a_cached_wheel_is_read_without_asking_upstream(launch, pypi, six):
    box = launch()
    assert box.get(f"/pypi{six.path}").status == 200
    pypi.clear()
    answer = box.get(metadata_url(six))
    assert (answer.body, answer["x-cache2"]) == (metadata_in(six.content), "HIT")
    assert pypi.count("*") <= 1  # the page that names it


def test_an_upstream_without_ranges_gives_the_whole_wheel_once_and_it_is_cached(launch, pypi, six):
    pypi.fault("*.whl", NoRanges())
    box = launch()
    assert box.get(metadata_url(six)).body == metadata_in(six.content)
    pypi.clear()
    assert box.get(f"/pypi{six.path}")["x-cache2"] == "HIT"
    assert pypi.count("*.whl") == 0


@pytest.mark.parametrize("status", [400, 403, 405, 416, 501])
def test_ranges_that_are_refused_lead_to_the_whole_wheel(launch, pypi, six, status):
    box = launch()
    pypi.fault(six.path, Status(status), times=1)
    assert box.get(metadata_url(six)).body == metadata_in(six.content)


def test_a_slice_with_wrong_bytes_convicts_no_wheel(launch, pypi, six):
    box = launch()
    pypi.fault(six.path, WrongBytes(-1), times=1)
    assert box.get(metadata_url(six)).body == metadata_in(six.content)
    assert advertised(box)[six.filename] is True


def test_a_slice_that_is_cut_is_asked_for_again(launch, pypi, six):
    box = launch(retries="2")
    pypi.fault(six.path, Truncate(1000), times=1)
    assert box.get(metadata_url(six)).body == metadata_in(six.content)
    assert sent(pypi) <= MEGABYTE


def test_trouble_upstream_is_told_as_such_and_nothing_is_remembered(launch, pypi, six):
    box = launch()
    box.get(PAGE)
    pypi.fault(six.path, Status(503))
    answer = box.get(metadata_url(six))
    assert (answer.status, "retry-after" in answer.headers) == (502, True)
    pypi.heal()
    assert box.get(metadata_url(six)).body == metadata_in(six.content)


@pytest.mark.parametrize("status", [403, 404])
def test_metadata_that_upstream_advertises_but_does_not_have_is_read_and_compared(launch, pypi, status):
    good = pypi.add_wheel("six", "4.0")
    bad = pypi.replace_file(pypi.add_wheel("six", "5.0"), metadata=b"Other: metadata\n")
    pypi.fault("*.metadata", Status(status))
    box = launch()
    assert box.get(metadata_url(good)).body == metadata_in(good.content)
    assert box.get(metadata_url(bad)).status == 502


def test_an_unknown_wheel_has_no_metadata(launch, pypi, six):
    other = metadata_url(six).replace("six-1.0", "six-1.1")
    assert launch().get(other).status == 404
    assert pypi.count("*.whl*") == 0


# ── wheels that have none ───────────────────────────────────────────────────────────────────────


def test_a_wheel_without_metadata_is_advertised_no_more(launch, pypi, six, broken):
    box = launch()
    for accept in (JSON, HTML):
        assert b"true" in box.get(PAGE, accept=accept).body
    assert is_ready(box, PAGE, JSON.encode())
    etag = box.get(PAGE, accept=JSON)["etag"]
    answer = box.get(metadata_url(broken))
    assert (answer.status, answer.body, answer["cache-control"]) == (200, UNREADABLE, "no-store")
    assert not is_ready(box, PAGE, JSON.encode())
    assert advertised(box) == {six.filename: True, broken.filename: False}
    assert box.get(PAGE, accept=JSON)["etag"] != etag
    pypi.clear()
    assert box.get(metadata_url(broken)).body == UNREADABLE  # to a client that still has the old page
    assert pypi.count("*.whl*") == 0


def test_that_a_wheel_has_no_metadata_is_remembered_over_a_restart(tmp_path, pypi, six, broken):
    with run_app(tmp_path / "cache", pypi.simple_url) as box:
        assert box.get(metadata_url(broken)).body == UNREADABLE
    with run_app(tmp_path / "cache", pypi.simple_url) as box:
        assert advertised(box) == {six.filename: True, broken.filename: False}


def test_a_page_that_went_out_of_memory_is_shown_anew_too(launch, broken):
    box = launch(hot_size="2B")
    assert advertised(box)[broken.filename] is True
    assert box.get(metadata_url(broken)).body == UNREADABLE
    assert advertised(box)[broken.filename] is False


# ── beside other features ───────────────────────────────────────────────────────────────────────


def test_metadata_of_a_withheld_wheel_is_withheld(launch, pypi, six):
    box = launch(deny="six==1.0")
    assert box.get(metadata_url(six)).status == 403
    assert launch(min_age="3000d").get(metadata_url(six)).status == 403
    assert pypi.count("*.whl*") == 0


def test_the_past_offers_metadata_for_what_there_was(launch, pypi, six):
    late = pypi.add_wheel("six", "2.0", metadata=False, upload_time="2026-12-01T00:00:00.000000Z")
    box = launch()
    assert advertised(box, "/pypi/@2026-06-01/simple/six/") == {six.filename: True}
    assert box.get(f"/pypi/@2026-06-01{six.metadata_path}").body == metadata_in(six.content)
    assert box.get(f"/pypi/@2026-06-01{late.metadata_path}").status == 403


def test_offline_the_metadata_of_cached_wheels_can_be_had(tmp_path, pypi, six):
    other = pypi.add_wheel("six", "2.0")
    with run_app(tmp_path / "cache", pypi.simple_url) as box:
        for file in (six, other):
            assert box.get(f"/pypi{file.path}").status == 200
        assert box.get(PAGE).status == 200
    pypi.clear()
    with run_app(tmp_path / "cache", pypi.simple_url, offline=True) as box:
        assert advertised(box) == {six.filename: True, other.filename: {"sha256": sha256_of(other)}}
        for file in (six, other):
            assert box.get(metadata_url(file)).body == metadata_in(file.content)
    assert pypi.count("*") == 0
