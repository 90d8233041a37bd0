"""An index as of a moment, over HTTP. The clock stands at 2027-01-15T08:00:00Z."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
DAY = 86400
BEFORE, BETWEEN, YESTERDAY = "@2026-12-31", "@2027-01-10", "@2027-01-14"
MONTH = "max-age=2592000, public"


@pytest.fixture
def six(pypi):
    return SimpleNamespace(
        old=pypi.add_wheel("six", "1.0", upload_time="2027-01-05T10:00:00.000000Z"),
        new=pypi.add_wheel("six", "2.0", upload_time="2027-01-12T10:00:00.000000Z"),
        undated=pypi.add_sdist("six", "0.9", upload_time=None),
    )


def mount(view):
    return f"/pypi/{view}" if view else "/pypi"


def page_of(box, view="", project="six", **headers):
    answer = box.get(f"{mount(view)}/simple/{project}/", accept=JSON, **headers)
    assert answer.status == 200
    return json.loads(answer.body)


def shown(box, view=""):
    return {file["filename"] for file in page_of(box, view)["files"]}


def test_later_files_are_gone_and_their_versions_with_them(box, six):
    assert shown(box) == {six.old.filename, six.new.filename, six.undated.filename}
    assert shown(box, YESTERDAY) == {six.old.filename, six.new.filename}
    page = page_of(box, BETWEEN)
    assert [file["filename"] for file in page["files"]] == [six.old.filename]
    assert page["versions"] == ["1.0"]
    nothing = page_of(box, BEFORE)
    assert (nothing["files"], nothing["versions"], nothing["name"]) == ([], [], "six")


def test_html_and_the_legacy_api_tell_the_same(box, six):
    html = box.get(f"/pypi/{BETWEEN}/simple/six/", accept=HTML).body
    assert six.old.filename.encode() in html
    assert six.new.filename.encode() not in html
    legacy = json.loads(box.get(f"/pypi/{BETWEEN}/pypi/six/json").body)
    assert list(legacy["releases"]) == ["1.0"]
    assert legacy["urls"] == []
    assert legacy["info"]["name"] == "six"
    assert json.loads(box.get(f"/pypi/{BETWEEN}/pypi/six/1.0/json").body)["urls"]
    gone = box.get(f"/pypi/{BETWEEN}/pypi/six/2.0/json")
    assert (gone.status, gone["content-type"]) == (403, "application/problem+json")
    assert "six 2.0 is withheld: it was uploaded 2027-01-12T10:00:00Z" in json.loads(gone.body)["detail"]
    assert b'"2.0"' in box.get("/pypi/pypi/six/json").body


def test_files_are_shared_with_the_plain_mount_and_later_ones_are_withheld(box, six, pypi):
    page = f"/pypi/{BETWEEN}/simple/six/"
    link = page_of(box, BETWEEN)["files"][0]["url"]
    assert link.startswith("../../packages/")
    assert box.follow(page, link).body == six.old.content
    assert box.get(f"/pypi{six.old.path}")["x-cache2"] == "HIT"
    assert pypi.count("*.whl") == 1

    assert box.get(f"/pypi{six.new.path}").body == six.new.content
    for path in (six.new.path, six.new.metadata_path):
        withheld = box.get(f"/pypi/{BETWEEN}{path}")
        assert withheld.status == 403
        problem = json.loads(withheld.body)
        assert problem["title"] == "Withheld by policy"
        assert "and this is the index as of 2027-01-10T23:59:59.999999Z" in problem["detail"]
        assert "allowed_from" not in problem
    assert box.get(f"/pypi/{YESTERDAY}{six.new.path}")["x-cache2"] == "HIT"


def test_a_time_can_be_given_to_the_second_in_any_spelling(box, six):
    for moment in ("2027-01-12T10:00:00Z", "2027-01-12T10%3A00%3A00Z", "2027-01-12T12:00:00+02:00"):
        assert six.new.filename in shown(box, f"@{moment}")
        assert six.new.filename in shown(box, f"%40{moment}")
    assert six.new.filename not in shown(box, "@2027-01-12T09:59:59Z")


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2027-01-15", "2027-01-15 has not passed: here it is 2027-01-15T08:00:00Z"),
        ("2027-01-15T08:00:00Z", "has not passed"),
        ("2999-01-01", "has not passed"),
        ("2027-02-30", "'2027-02-30' is not in the calendar"),
        ("yesterday", "'yesterday' is no moment: give a day such as 2026-01-31"),
        ("", "'' is no moment"),
    ],
)
@pytest.mark.parametrize("path", ["simple/", "simple/six/", "pypi/six/json", "packages/a/six-1.0.tar.gz"])
def test_a_moment_that_cannot_be_is_a_404_that_says_why(box, pypi, moment, told, path):
    answer = box.get(f"/pypi/@{moment}/{path}")
    assert (answer.status, answer["content-type"]) == (404, "application/problem+json")
    assert told in json.loads(answer.body)["detail"]
    assert pypi.count("*") == 0


def test_the_project_list_is_the_live_one(box, six):
    assert six.old.project == "six"
    live = box.get("/pypi/simple/", accept=JSON)
    past = box.get(f"/pypi/{BEFORE}/simple/", accept=JSON)
    assert (past["etag"], past.body) == (live["etag"], live.body)


@pytest.mark.parametrize(
    ("path", "location"), [("simple", "simple/"), ("simple/Six/", "../six/"), ("simple/six", "six/")]
)
def test_other_spellings_redirect_within_the_view(box, path, location):
    answer = box.get(f"/pypi/{BETWEEN}/{path}")
    assert (answer.status, answer["location"]) == (302, location)
    assert box.get(f"/pypi/{BETWEEN}//simple/six/")["location"] == f"/pypi/{BETWEEN}/simple/six/"


def test_a_page_of_the_past_is_held_long_and_never_asked_for_again(box, six, pypi):
    first = box.get(f"/pypi/{BETWEEN}/simple/six/", accept=JSON)
    assert (first["x-cache2"], first["cache-control"]) == ("MISS", MONTH)
    pypi.add_wheel("six", "3.0", upload_time="2027-01-16T10:00:00.000000Z")
    box.clock.advance(60 * DAY)
    again = box.get(f"/pypi/{BETWEEN}/simple/six/", accept=JSON)
    assert (again["x-cache2"], again["cache-control"]) == ("HIT", MONTH)
    assert (again.body, again["etag"]) == (first.body, first["etag"])
    assert pypi.count("/simple/six/") == 1
    assert shown(box, "@2027-01-16") > shown(box, YESTERDAY)
    assert six.old.filename in shown(box)


def test_a_page_that_came_before_the_moment_is_refreshed_for_it(box, six, pypi):
    shown(box)
    pypi.add_wheel("six", "3.0", upload_time="2027-01-15T10:00:00.000000Z")
    box.clock.advance(2 * DAY)
    assert "six-3.0-py3-none-any.whl" in shown(box, "@2027-01-15")
    assert "six-3.0-py3-none-any.whl" not in shown(box, YESTERDAY)
    assert six.old.project == "six"


def test_a_page_that_came_right_after_the_moment_is_not_taken_for_settled(box, six, pypi):
    moment = "@2027-01-15T07:30:00Z"
    assert box.get(f"/pypi/{moment}/simple/six/")["cache-control"] == "max-age=300, public"
    late = pypi.add_wheel("six", "3.0", upload_time="2027-01-15T07:29:00.000000Z")
    box.clock.advance(3600)
    assert late.filename in shown(box, moment)
    assert box.get(f"/pypi/{moment}/simple/six/")["cache-control"] == MONTH
    assert six.old.project == "six"


def test_live_pages_keep_their_own_lifetime(box, six):
    past = box.get(f"/pypi/{YESTERDAY}/simple/six/")
    live = box.get("/pypi/simple/six/")
    assert (past["cache-control"], live["cache-control"]) == (MONTH, "max-age=300, public")
    box.clock.advance(301)
    assert box.get("/pypi/simple/six/")["x-cache2"] != "HIT"
    assert six.old.project == "six"


def test_a_ready_answer_of_the_past_outlives_the_live_page(box, six):
    for view in (BETWEEN, ""):
        page_of(box, view)
    box.clock.advance(DAY)
    negotiated = (JSON.encode(), b"")
    past = box.app.hot_lane.find(f"/pypi/{BETWEEN}/simple/six/".encode(), negotiated)
    assert past is not None
    assert six.new.filename.encode() not in past[0].body
    assert box.app.hot_lane.find(b"/pypi/simple/six/", negotiated) is None


def test_a_refresh_that_a_client_asks_for_is_made(box, six, pypi):
    page_of(box, BETWEEN)
    box.clock.advance(3600)
    assert box.get(f"/pypi/{BETWEEN}/simple/six/", cache_control="no-cache")["x-cache2"] == "REVALIDATED"
    assert pypi.count("/simple/six/") == 2
    assert six.old.project == "six"


def test_undated_files_can_be_kept(launch, six):
    box = launch(undated="keep")
    assert six.undated.filename in shown(box, BEFORE)
    assert box.get(f"/pypi/{BEFORE}{six.undated.path}").status == 200


def test_a_default_date_pins_the_plain_mount(launch, six):
    box = launch(default_date="2027-01-10")
    page = box.get("/pypi/simple/six/", accept=JSON)
    assert page["cache-control"] == MONTH
    assert shown(box) == {six.old.filename}
    assert box.get(f"/pypi{six.new.path}").status == 403
    assert shown(box, YESTERDAY) == {six.old.filename, six.new.filename}
    assert box.get(f"/pypi/{YESTERDAY}{six.new.path}").status == 200


def test_absolute_links_stay_in_their_view(launch, six):
    box = launch(public_url="https://box.example/pypi/")
    for view, below in ((BETWEEN, f"{BETWEEN}/"), (YESTERDAY, f"{YESTERDAY}/"), ("", "")):
        expected = f"https://box.example/pypi/{below}{six.old.path.removeprefix('/')}"
        assert expected in {file["url"] for file in page_of(box, view)["files"]}
        legacy = json.loads(box.get(f"{mount(view)}/pypi/six/1.0/json").body)
        assert legacy["urls"][0]["url"] == expected


def test_moments_with_the_same_files_share_what_is_made_and_others_do_not_fill_the_memory(box, six, pypi):
    for day in range(1, 29):
        for accept in (JSON, HTML):
            pypi.add_wheel("many", f"1.{day}", upload_time=f"2026-11-{day:02}T10:00:00.000000Z")
            assert box.get(f"/pypi/@2026-10-{day:02}/simple/six/", accept=accept).status == 200
    page_of(box, project="many")
    for day in range(1, 29):
        for accept in (JSON, HTML):
            answer = box.get(f"/pypi/@2026-11-{day:02}/simple/many/", accept=accept, accept_encoding="gzip")
            assert answer.status == 200
    documents = box.app._parts.indexes.documents("pypi")
    made = {name: documents._copies.get(f"pypi/simple/{name}.page").derived for name in ("six", "many")}
    assert len(made["six"]) == 3  # two representations, and the times at which they change
    assert 30 < len(made["many"]) <= 40
    assert six.old.project == "six"
