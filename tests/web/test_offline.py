"""No upstream is asked, over HTTP. The clock stands at 2027-01-15T08:00:00Z."""

from __future__ import annotations

import http.client
import json
import re
import threading
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.distributions import incompressible
from tests.fakes.faults import Delay, Status, Truncate
from tests.web.running import run_app

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
PAGE = "/pypi/simple/demo/"
YEAR = 366 * 86400
METADATA_KEYS = {"core-metadata", "dist-info-metadata", "data-dist-info-metadata"}


def switch(box, *, offline):
    async def turn():
        connectivity = box.app.connectivity
        (connectivity.go_offline if offline else connectivity.go_online)()

    box.call(turn())


def go_offline(box):
    switch(box, offline=True)


def go_online(box):
    switch(box, offline=False)


@pytest.fixture
def demo(pypi):
    return SimpleNamespace(
        old=pypi.add_wheel("demo", "1.0", upload_time="2027-01-05T10:00:00.000000Z"),
        new=pypi.add_wheel("demo", "2.0", upload_time="2027-01-12T10:00:00.000000Z"),
        sdist=pypi.add_sdist("demo", "0.9", upload_time="2027-01-01T10:00:00.000000Z"),
    )


@pytest.fixture
def away(box, demo, pypi):
    """Offline, with the page, one wheel and its metadata in the cache."""
    assert box.get(PAGE, accept=JSON).status == 200
    assert box.get(f"/pypi{demo.old.path}").status == 200
    assert box.get(f"/pypi{demo.old.metadata_path}").status == 200
    pypi.clear()
    go_offline(box)
    return box


def listed(box, path=PAGE):
    answer = box.get(path, accept=JSON)
    assert answer.status == 200
    return {file["filename"]: file for file in json.loads(answer.body)["files"]}


def problem(answer):
    assert answer["content-type"] == "application/problem+json"
    return json.loads(answer.body)


def test_a_page_lists_only_what_is_in_the_cache_and_nothing_is_asked(away, demo, pypi):
    page = json.loads(away.get(PAGE, accept=JSON).body)
    assert [file["filename"] for file in page["files"]] == [demo.old.filename]
    assert page["versions"] == ["1.0"]
    assert away.follow(PAGE, page["files"][0]["url"]).body == demo.old.content
    html = away.get(PAGE, accept=HTML).body.decode()
    assert re.findall(r">(demo[^<]+)</a>", html) == [demo.old.filename]
    assert pypi.count("*") == 0


def test_the_legacy_api_tells_the_same(box, demo, pypi):
    for path in ("/pypi/pypi/demo/json", "/pypi/pypi/demo/2.0/json", f"/pypi{demo.old.path}"):
        assert box.get(path).status == 200
    pypi.clear()
    go_offline(box)
    assert list(json.loads(box.get("/pypi/pypi/demo/json").body)["releases"]) == ["1.0"]
    gone = box.get("/pypi/pypi/demo/2.0/json")
    assert gone.status == 403
    assert problem(gone)["detail"] == "demo 2.0 is withheld: cheesebox is offline, and it is not in the cache"
    assert box.get("/pypi/pypi/demo/1.0/json").status == 424
    go_online(box)
    assert "2.0" in json.loads(box.get("/pypi/pypi/demo/json").body)["releases"]


def test_metadata_is_advertised_if_it_is_in_the_cache(launch, demo):
    box = launch(extract_metadata="false")
    for path in (PAGE, f"/pypi{demo.old.path}", f"/pypi{demo.old.metadata_path}", f"/pypi{demo.new.path}"):
        assert box.get(path).status == 200
    assert METADATA_KEYS & listed(box)[demo.new.filename].keys()
    go_offline(box)
    files = listed(box)
    assert METADATA_KEYS & files[demo.old.filename].keys()
    assert not METADATA_KEYS & files[demo.new.filename].keys()
    html = box.get(PAGE, accept=HTML).body.decode()
    assert [("core-metadata" in line) for line in html.splitlines() if "<a " in line] == [True, False]


def test_a_page_of_any_age_is_served(away, demo):
    fresh = away.get(PAGE, accept=JSON)
    assert (fresh["x-cache2"], fresh["cache-control"]) == ("HIT", "max-age=0, public")
    away.clock.advance(YEAR)
    old = away.get(PAGE, accept=JSON, cache_control="no-cache")
    assert (old.status, old["x-cache2"], old.body) == (200, "STALE", fresh.body)
    assert away.get(PAGE, accept=JSON, if_none_match=old["etag"]).status == 304
    assert listed(away).keys() == {demo.old.filename}


@pytest.mark.parametrize(
    "path",
    [
        "simple/other/",
        "pypi/other/json",
        "integrity/demo/1.0/demo-1.0-py3-none-any.whl/provenance",
        "packages/source/d/demo/demo-0.9.tar.gz",
        "packages/source/n/nameless/nameless-0.9.tar.gz",
        "files/example.org/demo-1.0.tar.gz",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_anything_else_fails_at_once_and_says_why(away, pypi, path, method):
    answer = away.get(f"/pypi/{path}", method)
    assert answer.status == 424
    assert "retry-after" not in answer.headers
    assert (answer["cache-control"], answer["cache-status"]) == ("no-store", "cheesebox; detail=offline")
    if method == "GET":
        told = problem(answer)
        assert told["title"] == "Offline"
        assert re.fullmatch("cheesebox is offline, and .* is not in the cache", told["detail"])
    assert pypi.count("*") == 0


@pytest.mark.parametrize("headers", [{}, {"range": "bytes=-10"}, {"range": "bytes=5-9"}])
def test_a_file_that_is_not_cached_fails_at_once_whole_or_in_part(away, demo, pypi, headers):
    for path in (demo.new.path, demo.new.metadata_path, demo.sdist.path):
        for method in ("GET", "HEAD"):
            assert away.get(f"/pypi{path}", method, **headers).status == 424
    assert away.get(f"/pypi{demo.old.path}", **headers).status in (200, 206)
    assert pypi.count("*") == 0


def test_a_head_that_is_remembered_does_not_promise_a_file(box, demo):
    assert box.head(f"/pypi{demo.new.path}").status == 200
    go_offline(box)
    assert box.head(f"/pypi{demo.new.path}").status == 424


def test_the_last_404_is_still_a_404(box, pypi):
    assert box.get("/pypi/simple/nothing/").status == 404
    pypi.clear()
    go_offline(box)
    box.clock.advance(YEAR)
    assert box.get("/pypi/simple/nothing/").status == 404
    assert pypi.count("*") == 0


def test_the_list_has_the_projects_that_files_are_cached_of(away, demo, pypi):
    assert demo.old.project == "demo"
    pypi.add_wheel("other", "1.0")
    go_online(away)
    assert away.get("/pypi/simple/other/").status == 200
    assert len(json.loads(away.get("/pypi/simple/", accept=JSON).body)["projects"]) == 2
    pypi.clear()
    go_offline(away)
    listing = away.get("/pypi/simple/", accept=JSON)
    assert json.loads(listing.body)["projects"] == [{"name": "demo"}]
    assert listing["x-cache2"] == "STALE"
    assert b">demo</a>" in away.get("/pypi/simple/", accept=HTML).body
    assert pypi.count("*") == 0
    go_online(away)
    assert len(json.loads(away.get("/pypi/simple/", accept=JSON).body)["projects"]) == 2


def test_pages_and_the_list_follow_what_is_removed(away, demo):
    assert listed(away).keys() == {demo.old.filename}
    key = f"pypi{demo.old.path}"
    away.call(away.app._parts.shelf.forget(key))
    assert listed(away) == {}
    assert json.loads(away.get("/pypi/simple/", accept=JSON).body)["projects"] == []
    assert away.get(f"/pypi{demo.old.path}").status == 424


def test_pages_follow_a_download_that_ends_after_the_switch(box, pypi):
    large = pypi.add_file("demo", "demo-1.0-py3-none-any.whl", incompressible(3_000_000, seed="demo"))
    box.get(PAGE)
    pypi.fault("*.whl", Delay(0.5))
    bodies = []
    client = threading.Thread(target=lambda: bodies.append(box.get(f"/pypi{large.path}").body))
    client.start()
    pypi.wait_for_requests("*.whl")
    go_offline(box)
    assert listed(box) == {}
    client.join(30)
    assert bodies == [large.content]
    assert listed(box).keys() == {large.filename}
    assert box.get(f"/pypi{large.path}")["x-cache2"] == "HIT"


def test_a_download_that_breaks_after_the_switch_is_not_resumed(launch, pypi):
    box = launch(retries="4")
    large = pypi.add_file("demo", "demo-1.0-py3-none-any.whl", incompressible(3_000_000, seed="demo"))
    box.get(PAGE)
    pypi.fault("*.whl", Truncate(2_000_000), Delay(0.5))
    outcome = []

    def fetch():
        try:
            outcome.append(box.get(f"/pypi{large.path}").status)
        except http.client.IncompleteRead as cut:
            outcome.append(cut)

    client = threading.Thread(target=fetch)
    client.start()
    pypi.wait_for_requests("*.whl")
    go_offline(box)
    client.join(30)
    assert isinstance(outcome[0], http.client.IncompleteRead)
    assert pypi.count("*.whl") == 1
    assert listed(box) == {}


def test_policies_and_time_travel_hold_as_well(launch, demo):
    box = launch(deny="demo==2.0")
    for path in (PAGE, f"/pypi{demo.old.path}", f"/pypi{demo.sdist.path}"):
        assert box.get(path).status == 200
    go_offline(box)
    assert listed(box).keys() == {demo.old.filename, demo.sdist.filename}
    assert listed(box, "/pypi/@2027-01-03/simple/demo/").keys() == {demo.sdist.filename}
    assert box.get(f"/pypi/@2027-01-03{demo.old.path}").status == 403
    assert box.get(f"/pypi/@2027-01-03{demo.sdist.path}").status == 200


def test_online_again_all_is_as_before_at_once(away, demo, pypi):
    missing = ("/pypi/simple/other/", f"/pypi{demo.new.path}", "/pypi/packages/source/d/demo/demo-0.9.tar.gz")
    for path in missing:
        assert away.get(path).status == 424
    pypi.add_wheel("other", "1.0")
    go_online(away)
    for path in missing:
        assert away.get(path).status == 200
    assert listed(away).keys() == {demo.old.filename, demo.new.filename, demo.sdist.filename}


def test_a_page_is_the_same_offline_if_all_of_it_is_cached(box, demo):
    online = box.get(PAGE, accept=JSON)
    for file in (demo.old, demo.new, demo.sdist):
        assert box.get(f"/pypi{file.path}").status == 200
    for file in (demo.old, demo.new):
        assert box.get(f"/pypi{file.metadata_path}").status == 200
    go_offline(box)
    offline = box.get(PAGE, accept=JSON)
    assert (offline["etag"], offline.body) == (online["etag"], online.body)


def test_what_was_begun_before_the_switch_is_not_kept_ready(box, demo, pypi):
    assert demo.old.project == "demo"
    pypi.fault("/simple/demo/", Delay(0.5))
    answers = []
    client = threading.Thread(target=lambda: answers.append(box.get(PAGE, accept=JSON)))
    client.start()
    pypi.wait_for_requests("/simple/demo/")
    go_offline(box)
    client.join(30)
    assert json.loads(answers[0].body)["files"] == []
    assert answers[0]["cache-control"] == "max-age=0, public"
    assert box.app.hot_lane.table.statistics().targets == 0


def test_a_back_off_from_before_ends_with_going_online(box, demo, pypi):
    assert listed(box).keys() >= {demo.new.filename}
    box.clock.advance(301)
    pypi.fault("/simple/demo/", Status(503), times=1)
    assert box.get(PAGE)["x-cache2"] == "STALE"
    go_offline(box)
    assert box.get(PAGE)["x-cache2"] == "STALE"
    go_online(box)
    assert box.get(PAGE)["x-cache2"] == "REVALIDATED"


def test_going_offline_twice_is_going_offline(away, demo):
    go_offline(away)
    assert listed(away).keys() == {demo.old.filename}
    go_online(away)
    go_online(away)
    assert demo.new.filename in listed(away)


def test_the_program_can_start_offline_with_what_an_earlier_run_left(tmp_path, pypi, demo):
    with run_app(tmp_path / "kept", pypi.simple_url) as box:
        for path in (PAGE, f"/pypi{demo.old.path}"):
            assert box.get(path).status == 200
    pypi.clear()
    with run_app(tmp_path / "kept", pypi.simple_url, offline="true") as box:
        assert listed(box).keys() == {demo.old.filename}
        assert box.get(f"/pypi{demo.old.path}").body == demo.old.content
        assert box.get("/pypi/simple/other/").status == 424
        assert pypi.count("*") == 0
        go_online(box)
        assert demo.new.filename in listed(box)


def test_files_that_nobody_can_vouch_for_offline_are_left_until_somebody_can(tmp_path, pypi, demo):
    folder = tmp_path / "kept"
    with run_app(folder, pypi.simple_url) as box:
        for path in (PAGE, f"/pypi{demo.old.path}"):
            assert box.get(path).status == 200
    for lost in (*folder.glob("catalogue.sqlite*"), folder / "pypi" / "simple" / "demo.page"):
        lost.unlink()
    with run_app(folder, pypi.simple_url, offline="true") as box:
        box.call(box.app._parts._rebuild())
        assert box.get(f"/pypi{demo.old.path}").status == 424
    pypi.clear()
    with run_app(folder, pypi.simple_url) as box:
        box.call(box.app._parts._rebuild())
        assert box.get(f"/pypi{demo.old.path}")["x-cache2"] == "HIT"
    assert pypi.count("*.whl") == 0


def test_switching_under_load_never_mixes_the_two(away, demo, pypi):
    """Whatever is answered is one of the two pages, whole; offline ones never outlive the switch."""
    everything = frozenset({demo.old.filename, demo.new.filename, demo.sdist.filename})
    seen, stop = set(), threading.Event()

    def load():
        while not stop.is_set():
            seen.add(frozenset(listed(away)))

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for _ in range(10):
            go_online(away)
            assert listed(away).keys() == everything
            go_offline(away)
            pypi.clear()
            assert listed(away).keys() == {demo.old.filename}
            assert pypi.count("*") == 0
    finally:
        stop.set()
        for client in clients:
            client.join(30)
    assert seen == {everything, frozenset({demo.old.filename})}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One application for all examples; each has a project of its own."""
    from tests.fakes.pypi import FakePyPI

    with FakePyPI() as pypi, run_app(tmp_path_factory.mktemp("law") / "cache", pypi.simple_url) as box:
        yield SimpleNamespace(pypi=pypi, box=box, count=0)


fetched = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=5)


@given(fetched=fetched)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_listed_offline_is_listed_online_and_can_be_had(world, fetched):
    box, pypi = world.box, world.pypi
    world.count += 1
    project = f"law{world.count}"
    page = f"/pypi/simple/{project}/"
    go_online(box)
    files = [pypi.add_wheel(project, f"{number}.0") for number in range(len(fetched))]
    online = listed(box, page)
    for file, (with_content, with_metadata) in zip(files, fetched, strict=True):
        for path, wanted in ((file.path, with_content), (file.metadata_path, with_metadata)):
            assert not wanted or box.get(f"/pypi{path}").status == 200
    pypi.clear()
    go_offline(box)
    offline = listed(box, page)
    assert offline.keys() == {f.filename for f, (content, _) in zip(files, fetched, strict=True) if content}
    assert offline.keys() <= online.keys()
    for filename, file in offline.items():
        kept = {key: online[filename][key] for key in online[filename] if key in file}
        assert file == kept
        assert online[filename].keys() - file.keys() <= METADATA_KEYS
        assert box.follow(page, file["url"]).status == 200
        if METADATA_KEYS & file.keys():
            assert box.follow(page, file["url"] + ".metadata").status == 200
    assert pypi.count("*") == 0
