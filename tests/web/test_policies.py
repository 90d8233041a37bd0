"""What an index withholds, over HTTP. The clock stands at 2027-01-15T08:00:00Z."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from cheesebox.app import build_app
from cheesebox.errors import SettingsError
from cheesebox.settings_loading import load_settings
from tests.web.running import NOON, run_app

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
DAY = 86400
PAGE = "/pypi/simple/six/"


@pytest.fixture
def six(pypi):
    """Two releases, the newer one three days old at noon of the test's clock."""
    return SimpleNamespace(
        old=pypi.add_wheel("six", "1.0", upload_time="2026-12-01T08:00:00.000000Z"),
        new=pypi.add_wheel(
            "six",
            "2.0",
            upload_time="2027-01-12T08:00:00.000000Z",
            provenance={"version": 1, "attestations": []},
        ),
        sdist=pypi.add_sdist("six", "1.0", upload_time="2026-12-01T08:00:00.000000Z"),
    )


def page_of(box, path=PAGE):
    answer = box.get(path, accept=JSON)
    assert answer.status == 200
    return json.loads(answer.body)


def shown(box, path=PAGE):
    return {file["filename"] for file in page_of(box, path)["files"]}


def problem_of(answer):
    assert (answer.status, answer["content-type"]) == (403, "application/problem+json")
    assert answer["cache-control"] == "no-store"
    assert "retry-after" not in answer.headers
    assert answer["cache-status"] == "cheesebox; detail=withheld"
    return json.loads(answer.body)


def is_ready(box, path, accept=b""):
    return box.app.hot_lane.find(path.encode(), (accept, b"")) is not None


# ── cooldown ────────────────────────────────────────────────────────────────────────────────────


def test_a_young_file_is_on_no_page_and_cannot_be_downloaded(launch, six, pypi):
    box = launch(min_age="7d")
    page = page_of(box)
    assert {file["filename"] for file in page["files"]} == {six.old.filename, six.sdist.filename}
    assert page["versions"] == ["1.0"]
    assert six.new.filename.encode() not in box.get(PAGE, accept=HTML).body
    assert list(json.loads(box.get("/pypi/pypi/six/json").body)["releases"]) == ["1.0"]
    provenance = f"/pypi/integrity/six/2.0/{six.new.filename}/provenance"
    for path in (f"/pypi{six.new.path}", f"/pypi{six.new.metadata_path}", provenance):
        for method in ("GET", "HEAD"):
            assert box.get(path, method).status == 403
        problem = problem_of(box.get(path))
        assert problem["detail"] == (
            f"{six.new.filename} is withheld: it was uploaded 2027-01-12T08:00:00Z, and files have to be 7d "
            "old; it is allowed from 2027-01-19T08:00:00Z"
        )
        assert problem["allowed_from"] == "2027-01-19T08:00:00Z"
        assert not is_ready(box, path)
    problem = problem_of(box.get("/pypi/pypi/six/2.0/json"))
    assert problem["allowed_from"] == "2027-01-19T08:00:00Z"
    assert pypi.count("*.whl*") == 0


def test_pages_and_ready_answers_expire_at_the_very_moment_of_a_release(launch, six):
    box = launch(min_age="7d", fresh_for="30d")
    released = NOON + 4 * DAY
    legacy = "/pypi/pypi/six/json"
    for path in (PAGE, legacy):
        assert box.get(path)["cache-control"] == "max-age=600, public"
    box.clock.now = released - 90.5
    for path in (PAGE, legacy):
        assert box.get(path)["cache-control"] == "max-age=90, public"
        assert is_ready(box, path)
    box.clock.now = released - 0.001
    assert box.get(PAGE)["cache-control"] == "max-age=0, public"
    assert shown(box) == {six.old.filename, six.sdist.filename}
    box.clock.now = released
    for path in (PAGE, legacy):
        assert not is_ready(box, path)
        assert box.get(path)["x-cache2"] == "HIT"
    assert six.new.filename in shown(box)
    assert '"2.0":' in box.get(legacy).body.decode()
    assert box.get(f"/pypi{six.new.path}").body == six.new.content


def test_a_released_page_has_another_entity_tag(launch, six):
    box = launch(min_age="7d", fresh_for="30d")
    before = box.get(PAGE)["etag"]
    box.clock.advance(4 * DAY)
    after = box.get(PAGE, if_none_match=before)
    assert (after.status, after["etag"] != before) == (200, True)
    assert six.new.filename.encode() in after.body


@pytest.mark.parametrize("exempt", ["six", "Six==2.0", "other six>1"])
def test_exempted_files_are_served_at_once(launch, six, exempt):
    box = launch(min_age="7d", exempt=exempt)
    assert six.new.filename in shown(box)
    assert box.get(f"/pypi{six.new.path}").status == 200


def test_files_without_upload_time_are_withheld_unless_it_is_set_otherwise(launch, pypi):
    undated = pypi.add_wheel("six", "1.0", upload_time=None)
    strict, lax = launch(min_age="7d"), launch(min_age="7d", undated="keep")
    assert (shown(strict), shown(lax)) == (set(), {undated.filename})
    assert "has no upload time" in problem_of(strict.get(f"/pypi{undated.path}"))["detail"]
    assert lax.get(f"/pypi{undated.path}").status == 200


def test_a_file_that_its_page_does_not_name_is_withheld_where_there_are_rules(launch, six, pypi):
    box = launch(min_age="7d")
    pypi.remove_file(six.old)
    detail = problem_of(box.get(f"/pypi{six.old.path}"))["detail"]
    assert detail == f"{six.old.filename} is withheld: the page of six does not name it"
    nameless = problem_of(box.get(f"/pypi/packages/aa/bb/{'c' * 60}/-.whl"))["detail"]
    assert nameless == "-.whl is withheld: its name tells of no project"


def test_without_a_page_nothing_is_served_by_rules(launch, six, pypi):
    box = launch(min_age="7d")
    pypi.go_down()
    assert box.get(f"/pypi{six.old.path}").status == 502
    pypi.come_back()


def test_old_links_are_judged_like_the_files_that_they_lead_to(launch, six):
    box = launch(min_age="7d")
    young = f"/pypi/packages/py3/s/six/{six.new.filename}"
    assert problem_of(box.get(young))["allowed_from"] == "2027-01-19T08:00:00Z"
    assert box.get(f"/pypi/packages/py3/s/six/{six.old.filename}").body == six.old.content


def test_a_cooldown_in_the_past_is_judged_as_of_then(launch, six):
    box = launch(min_age="7d")
    assert six.new.filename not in shown(box, "/pypi/@2027-01-14/simple/six/")
    box.clock.advance(30 * DAY)
    assert six.new.filename not in shown(box, "/pypi/@2027-01-14/simple/six/")
    assert six.new.filename in shown(box, "/pypi/@2027-01-20/simple/six/")


# ── lists and kinds ─────────────────────────────────────────────────────────────────────────────


def test_what_is_denied_is_gone_and_its_reason_is_told(launch, six):
    box = launch(deny=[{"match": "six>=2", "reason": "see ticket 7"}, "evil==1.0"])
    page = page_of(box)
    assert ({file["filename"] for file in page["files"]}, page["versions"]) == (
        {six.old.filename, six.sdist.filename},
        ["1.0"],
    )
    problem = problem_of(box.get(f"/pypi{six.new.path}"))
    assert problem["detail"] == f"{six.new.filename} is withheld: see ticket 7"
    assert "allowed_from" not in problem
    assert box.get(f"/pypi{six.old.path}").status == 200


def test_only_what_is_allowed_is_served(launch, six, pypi):
    other = pypi.add_wheel("other", "1.0")
    box = launch(allow="six==1.*")
    assert shown(box) == {six.old.filename, six.sdist.filename}
    page = page_of(box, "/pypi/simple/other/")
    assert (page["files"], page["versions"]) == ([], [])
    assert "is not among what is allowed here" in problem_of(box.get(f"/pypi{other.path}"))["detail"]
    assert box.get(f"/pypi{six.old.path}").status == 200


@pytest.mark.parametrize(("only", "kept"), [("wheels", ["old", "new"]), ("sdists", ["sdist"])])
def test_only_one_kind_of_file_is_served(launch, six, only, kept):
    box = launch(only=only)
    assert shown(box) == {getattr(six, name).filename for name in kept}
    for name, file in vars(six).items():
        assert box.get(f"/pypi{file.path}").status == (200 if name in kept else 403)


def test_what_lies_in_the_cache_already_is_withheld_all_the_same(tmp_path, six, pypi):
    cache = tmp_path / "cache"
    with run_app(cache, pypi.simple_url) as box:
        for path in (six.new.path, six.new.metadata_path):
            assert box.get(f"/pypi{path}").status == 200
    pypi.clear()
    with run_app(cache, pypi.simple_url, deny="six==2") as box:
        for path in (six.new.path, six.new.metadata_path):
            assert problem_of(box.get(f"/pypi{path}"))["detail"].endswith("six==2 is denied here")
        assert pypi.count("*.whl*") == 0
    with run_app(cache, pypi.simple_url) as box:
        assert box.get(f"/pypi{six.new.path}")["x-cache2"] == "HIT"


# ── quarantine (PEP 792) ────────────────────────────────────────────────────────────────────────


def test_cached_files_of_a_project_stop_when_its_page_says_quarantined(box, six, pypi):
    paths = [PAGE, f"/pypi{six.new.path}", f"/pypi{six.new.metadata_path}"]
    for path in paths:
        for _ in range(2):
            assert box.get(path).status == 200
        assert is_ready(box, path)
    pypi.set_status("six", "quarantined", "found to be malware")
    box.clock.advance(301)
    page = page_of(box)
    assert (page["files"], page["versions"], page["project-status"]["status"]) == ([], [], "quarantined")
    for path in paths[1:]:
        assert not is_ready(box, path)
        expected = f"{six.new.filename} is withheld: six is quarantined: found to be malware"
        assert problem_of(box.get(path))["detail"] == expected
    assert problem_of(box.get("/pypi/pypi/six/json"))["detail"].startswith("six is withheld: six is quarant")


def test_a_file_that_was_served_without_a_page_stops_when_one_comes(launch, pypi):
    box = launch(upstream_files=f"{pypi.files_url}/packages/")
    wheel = pypi.add_wheel("seven", "1.0")
    path = f"/pypi{wheel.path}"
    for _ in range(2):
        assert box.get(path).body == wheel.content
    assert is_ready(box, path)
    pypi.add_wheel("eight", "1.0")
    page_of(box, "/pypi/simple/eight/")
    assert is_ready(box, path)
    pypi.set_status("seven", "quarantined")
    page_of(box, "/pypi/simple/seven/")
    assert not is_ready(box, path)
    assert "seven is quarantined" in problem_of(box.get(path))["detail"]


def test_a_quarantine_survives_a_restart_and_ends_when_the_upstream_says_so(tmp_path, six, pypi):
    cache, path = tmp_path / "cache", f"/pypi{six.old.path}"
    with run_app(cache, pypi.simple_url) as box:
        page_of(box)
        assert box.get(path).status == 200
        pypi.set_status("six", "quarantined")
        box.clock.advance(301)
        page_of(box)
    pypi.go_down()
    with run_app(cache, pypi.simple_url) as box:
        box.clock.advance(301)
        assert box.get(path).status == 403
        box.clock.advance(301)
        assert "is quarantined" in problem_of(box.get(path))["detail"]
        pypi.come_back()
        pypi.set_status("six", "active")
        box.clock.advance(301)
        assert box.get(path)["x-cache2"] == "HIT"


# ── bad settings ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("moment", ["2027-01-15", "2027-01-15T08:00:00Z"])
def test_a_default_date_that_has_not_passed_is_refused_at_the_start(tmp_path, moment):
    overrides = {"cache_dir": str(tmp_path / "cache"), "default_date": moment}
    app = build_app(load_settings(None, {}, overrides), clock=lambda: NOON)
    with pytest.raises(SettingsError, match=f"default_date = '{moment}': a moment that has passed"):
        asyncio.run(app.start())
