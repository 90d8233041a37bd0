"""The API below ``/-/api/v1/`` over HTTP."""

from __future__ import annotations

import http.client
import json

import pytest

from cheesebox.server.control import vouching
from tests.web.running import run_app

JSON = "application/vnd.pypi.simple.v1+json"
API = "/-/api/v1"
TOKEN = "a-token-for-the-test"


def read(box, path):
    answer = box.get(f"{API}/{path}")
    assert (answer.status, answer["content-type"]) == (200, "application/json"), answer.body
    assert (answer["cache-control"], answer["x-content-type-options"]) == ("no-store", "nosniff")
    return json.loads(answer.body)


def change(box, path, body, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=20)
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", f"{API}/{path}", data, fields)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def purge(box, **body):
    status, _, answer = change(box, "purge", body, authorization=f"Bearer {TOKEN}")
    assert status == 200, answer
    return json.loads(answer)


@pytest.fixture
def wheel(pypi):
    return pypi.add_wheel("Demo.Thing", "1.0")


@pytest.fixture
def admin(launch, wheel):
    """An application with a token, which has cached a page and a file."""
    box = launch(admin_token=TOKEN)
    box.get("/pypi/simple/demo-thing/", accept=JSON)
    box.get(f"/pypi{wheel.path}")
    return box


def test_the_overview_tells_what_was_answered_and_what_is_stored(admin, wheel):
    admin.get(f"/pypi{wheel.path}")
    told = read(admin, "overview")
    assert (told["sum"]["hits"], told["sum"]["misses"]) == (1, 2)
    assert told["sum"]["sent"] >= 2 * len(wheel.content)
    assert {
        "index": "pypi",
        "kind": "file",
        "outcome": "MISS",
        "answers": 1,
        "bytes": len(wheel.content),
    } in told["counts"]
    assert told["storage"]["entries"] == 2
    assert told["storage"]["size"] > len(wheel.content)
    assert [host["requests"] for host in told["upstreams"]] == [2]
    assert told["is_offline"] is False


def test_the_history_outlives_a_restart(pypi, tmp_path, wheel):
    with run_app(tmp_path / "cache", pypi.simple_url) as box:
        box.get(f"/pypi{wheel.path}")
    with run_app(tmp_path / "cache", pypi.simple_url) as box:
        assert read(box, "overview")["sum"]["misses"] == 0
        told = read(box, "history?hours=2")
    assert (told["sum"]["misses"], told["sum"]["sent"]) == (1, len(wheel.content))
    assert [row["index"] for row in told["indexes"]] == ["pypi"]
    assert told["hours"][0]["start"] == told["sums"][0]["start"] == 1_800_000_000 // 3600 * 3600


def test_hours_that_are_long_gone_are_left_out(admin):
    admin.call(admin.app._parts.note_counts())
    admin.clock.advance(3600)
    assert read(admin, "history?hours=1")["sum"]["misses"] == 0
    assert read(admin, "history?hours=2")["sum"]["misses"] == 2


@pytest.mark.parametrize("search", ["", "DEMO_th", "g", "demo.thing"])
def test_a_project_is_found_by_a_part_of_its_name_in_any_spelling(admin, search):
    assert [row["project"] for row in read(admin, f"projects?search={search}")["projects"]] == ["demo-thing"]


def test_projects_come_in_parts(admin, pypi):
    for name in ("b", "c"):
        pypi.add_wheel(name, "1.0")
        admin.get(f"/pypi/simple/{name}/")
    first = read(admin, "projects?limit=2")
    assert [row["project"] for row in first["projects"]] == ["b", "c"]
    last = read(admin, f"projects?limit=2&offset={first['next_offset']}")
    assert ([row["project"] for row in last["projects"]], last["next_offset"]) == (["demo-thing"], None)


@pytest.mark.parametrize("spelling", ["demo-thing", "Demo.Thing", "demo%5Fthing"])
def test_a_project_is_told_with_its_objects(admin, wheel, spelling):
    told = read(admin, f"projects/{spelling}")
    assert told["project"] == "demo-thing"
    assert {(row["kind"], row["version"], row["index"]) for row in told["objects"]} == {
        ("page", None, "pypi"),
        ("file", "1.0", "pypi"),
    }
    assert wheel.filename in {row["filename"] for row in told["objects"]}


def test_highlights_and_settings_and_activity_are_told(admin, wheel):
    assert [row["filename"] for row in read(admin, "highlights")["newest"]] == [wheel.filename]
    assert read(admin, "activity") == {"downloads": [], "events": []}
    settings = {row["name"]: row for row in read(admin, "settings")["settings"]}
    assert settings["admin_token"]["value"] == "***"
    assert settings["retries"]["value"] == "0"
    assert TOKEN not in json.dumps(read(admin, "settings"))


def test_a_stale_answer_is_told_as_recent(admin, pypi):
    admin.clock.advance(1000)
    pypi.go_down()
    assert admin.get("/pypi/simple/demo-thing/", accept=JSON)["x-cache2"] == "STALE"
    events = read(admin, "activity")["events"]
    assert "/pypi/simple/demo-thing/" in [event["text"] for event in events if event["level"] == "stale"]


@pytest.mark.parametrize(
    "path",
    [
        "history?hours=0",
        "history?hours=841",
        "history?hours=x",
        "history?hours=-1",
        "history?hours=",
        "history?hours=" + "0" * 5000 + "1",
        "projects?limit=1001",
        "projects?offset=" + "0" * 25 + "9" * 25,
        "projects?limit=%D9%A1",
        "projects?order=sideways",
        "projects?order=",
    ],
)
def test_a_parameter_out_of_its_bounds_is_refused(box, path):
    answer = box.get(f"{API}/{path}")
    assert (answer.status, answer["content-type"]) == (400, "application/problem+json")
    assert "allowed" in json.loads(answer.body)["detail"]


@pytest.mark.parametrize(
    "path", ["", "nothing", "projects/", "projects/a/b", "projects/%20", "overview/", "projects/a%2Fb"]
)
def test_what_is_not_there_is_not_found(box, path):
    assert box.get(f"{API}/{path}").status == 404


def test_methods_are_told(box):
    assert box.get(f"{API}/overview", "POST")["allow"] == "GET, HEAD"
    assert box.get(f"{API}/openapi.json", "DELETE")["allow"] == "GET, HEAD"
    assert box.get(f"{API}/purge")["allow"] == "POST"
    assert box.head(f"{API}/overview").body == b""


# ── changing


def test_what_is_purged_is_fetched_again(admin, pypi, wheel):
    assert purge(admin, project="Demo_Thing", version="1")["objects"] == 1
    assert admin.get(f"/pypi{wheel.path}")["x-cache2"] == "MISS"
    assert admin.get("/pypi/simple/demo-thing/", accept=JSON)["x-cache2"] == "HIT"
    assert purge(admin, all=True)["objects"] == 2
    assert admin.get("/pypi/simple/demo-thing/", accept=JSON)["x-cache2"] == "MISS"
    assert pypi.count(wheel.path) == 2


def test_a_purge_by_age_leaves_what_is_young(admin, pypi):
    admin.clock.advance(100)
    pypi.add_wheel("young", "1.0")
    admin.get("/pypi/simple/young/")
    assert purge(admin, older_than=50)["objects"] == 2
    assert [row["project"] for row in read(admin, "projects")["projects"]] == ["young"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"all": False},
        {"all": True, "project": "demo"},
        {"version": "1.0"},
        {"project": "demo", "colour": "red"},
        {"project": "../x"},
        {"older_than": -1},
        {"older_than": "1d"},
        [],
        b"",
        b"\xff",
        b'{"all": true',
    ],
)
def test_a_purge_that_does_not_say_what_is_refused(admin, body):
    status, headers, answer = change(admin, "purge", body, authorization=f"Bearer {TOKEN}")
    assert (status, headers["content-type"]) == (400, "application/problem+json"), answer
    assert len(read(admin, "projects")["projects"]) == 1


def test_a_body_without_end_is_refused(admin):
    status, _, _ = change(admin, "purge", b" " * 70_000, authorization=f"Bearer {TOKEN}")
    assert status == 400


def test_a_change_without_the_token_is_unauthorized(admin):
    for headers in ({}, {"authorization": "Bearer wrong"}):
        status, fields, body = change(admin, "purge", {"all": True}, **headers)
        assert (status, fields["www-authenticate"]) == (401, 'Bearer realm="cheesebox"')
        assert json.loads(body)["title"] == "Unauthorized"
    assert len(read(admin, "projects")["projects"]) == 1


def test_a_change_for_another_site_is_forbidden_with_the_token(admin):
    status, _, _ = change(
        admin, "purge", {"all": True}, authorization=f"Bearer {TOKEN}", origin="https://evil.example"
    )
    assert status == 403


def test_nothing_is_changed_where_no_token_is_set_but_by_those_who_are_vouched_for(launch, wheel):
    open_box = launch()
    assert change(open_box, "purge", {"all": True})[0] == 403
    vouched = launch(wrap=vouching)
    vouched.get(f"/pypi{wheel.path}")
    status, _, body = change(vouched, "purge", {"all": True}, sec_fetch_site="cross-site")
    assert (status, json.loads(body)["objects"]) == (200, 2)


# ── its description


def test_every_path_of_the_description_is_there(admin):
    described = read(admin, "openapi.json")
    assert described["servers"] == [{"url": API}]
    for path, methods in described["paths"].items():
        if "get" in methods:
            read(admin, path.removeprefix("/").replace("{project}", "demo-thing"))
    assert described["paths"]["/purge"]["post"]["security"]


def test_the_description_knows_what_the_site_is_mounted_below(launch):
    box = launch(root_path="/cache")
    answer = box.get(f"{API}/openapi.json")
    assert json.loads(answer.body)["servers"] == [{"url": f"/cache{API}"}]


def test_the_cache_goes_offline_and_online_again(admin, pypi):
    token = f"Bearer {TOKEN}"
    asked = pypi.count("*")
    assert change(admin, "offline", {"is_offline": True}, authorization=token)[0] == 200
    assert read(admin, "overview")["is_offline"] is True
    assert admin.get("/pypi/simple/unknown/").status == 424
    assert pypi.count("*") == asked
    status, _, answer = change(admin, "offline", {"is_offline": False}, authorization=token)
    assert (status, json.loads(answer)) == (200, {"is_offline": False})
    assert admin.get("/pypi/simple/unknown/").status == 404


def test_nobody_without_the_token_takes_the_cache_offline(admin):
    assert change(admin, "offline", {"is_offline": True})[0] == 401
    assert read(admin, "overview")["is_offline"] is False


def test_the_history_has_what_was_answered_a_moment_ago(admin, wheel):
    admin.get(f"/pypi{wheel.path}")
    told = read(admin, "history?hours=1")
    assert (told["sum"]["hits"], told["sum"]["misses"]) == (1, 2)
    assert read(admin, "history?hours=1")["sum"] == told["sum"]
