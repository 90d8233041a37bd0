"""Restricted access over HTTP: the application and the hot lane."""

from __future__ import annotations

import base64
import stat

import pytest

from cheesebox.app import build_app
from cheesebox.errors import SettingsError
from cheesebox.hashing import hash_password, hash_token
from cheesebox.server.control import vouching
from cheesebox.settings_loading import load_settings
from cheesebox.web.door import parse_keys
from cheesebox.web.http import Request
from tests.server.test_hot_lane import LAST, request, two_lanes
from tests.web.running import run_app

PASSWORD, TOKEN, ADMIN = "correct horse", "a-long-random-token", "the-admins-token"
ALICE = "Basic " + base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
WRONG = "Basic " + base64.b64encode(b"alice:wrong").decode()
PATHS = ["/pypi/simple/", "/pypi/simple/demo/", "/-/", "/-/metrics", "/-/api/v1/overview", "/nothing"]


@pytest.fixture
def access_file(tmp_path):
    path = tmp_path / "access"
    path.write_text(f"alice:{hash_password(PASSWORD.encode())}\nci:{hash_token(TOKEN.encode())}\n")
    return path


@pytest.fixture
def wheel(pypi):
    return pypi.add_wheel("demo", "1.0")


@pytest.fixture
def shut(launch, access_file, wheel):
    assert wheel.project == "demo"
    return launch(access_file=str(access_file), admin_token=ADMIN)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_given_without_credentials(shut, pypi, path):
    for headers in ({}, {"authorization": WRONG}, {"authorization": "Bearer x"}):
        answer = shut.get(path, **headers)
        assert (answer.status, answer["www-authenticate"]) == (
            401,
            'Basic realm="cheesebox", charset="UTF-8"',
        )
        assert answer["cache-control"] == "no-store"
    assert shut.get(path, "POST").status == shut.get(path, "OPTIONS").status == 401
    assert pypi.count("*") == 0


@pytest.mark.parametrize("given", [ALICE, f"Bearer {TOKEN}", f"Bearer {ADMIN}"])
def test_everything_is_given_with_them(shut, wheel, given):
    for path in ("/pypi/simple/demo/", f"/pypi{wheel.path}", "/-/metrics", "/-/api/v1/overview"):
        assert shut.get(path, authorization=given).status == 200
    assert shut.get("/nothing", authorization=given).status == 404


def test_health_and_readiness_are_open(shut):
    assert shut.get("/-/health").body == b"ok\n"
    assert shut.get("/-/ready").body == b"ready\n"


def test_users_may_not_change_anything_and_the_admin_may(shut, wheel):
    shut.get(f"/pypi{wheel.path}", authorization=ALICE)
    for given in (ALICE, f"Bearer {TOKEN}"):
        assert shut.get("/-/api/v1/purge", "POST", authorization=given).status == 401
    answer = shut.get("/-/api/v1/purge", "POST", authorization=f"Bearer {ADMIN}")
    assert (answer.status, b"body" in answer.body) == (400, True)


def test_no_answer_may_be_kept_by_shared_caches(shut, wheel):
    for path in ("/pypi/simple/demo/", f"/pypi{wheel.path}"):
        for _ in range(2):
            fields = shut.get(path, authorization=ALICE)["cache-control"].split(", ")
            assert "private" in fields
            assert "public" not in fields


def test_an_open_cache_does_not_care_for_credentials(box, wheel):
    assert wheel.project == "demo"
    answer = box.get("/pypi/simple/demo/", authorization=WRONG)
    assert (answer.status, answer["cache-control"]) == (200, "max-age=300, public")


def test_the_control_socket_needs_no_credentials(launch, access_file, wheel):
    vouched = launch(access_file=str(access_file), wrap=vouching)
    assert vouched.get(f"/pypi{wheel.path}").status == 200
    assert vouched.get("/-/api/v1/overview").status == 200


def test_a_changed_file_lets_others_in_and_a_broken_one_changes_nothing(shut, access_file):
    bob = "Basic " + base64.b64encode(b"bob:secret").decode()
    assert shut.get("/pypi/simple/demo/", authorization=ALICE).status == 200
    access_file.write_text("bob:secret\n")
    shut.call(shut.app.access.look())
    assert shut.get("/pypi/simple/demo/", authorization=ALICE).status == 200
    access_file.write_text(f"bob:{hash_password(b'secret')}\n")
    shut.call(shut.app.access.look())
    assert shut.get("/pypi/simple/demo/", authorization=ALICE).status == 401
    assert shut.get("/pypi/simple/demo/", authorization=bob).status == 200
    access_file.unlink()
    shut.call(shut.app.access.look())
    assert shut.get("/pypi/simple/demo/", authorization=bob).status == 200


async def test_a_broken_file_keeps_the_cache_from_starting(tmp_path, pypi):
    path = tmp_path / "access"
    path.write_text("alice:hunter2\n")
    settings = load_settings(
        None,
        {},
        {"cache_dir": str(tmp_path / "cache"), "upstream": pypi.simple_url, "access_file": str(path)},
    )
    with pytest.raises(SettingsError, match=r"access_file: .*line 1: neither") as caught:
        await build_app(settings).start()
    assert "hunter2" not in str(caught.value)


def test_the_owner_of_the_cache_directory_has_a_token_while_the_server_runs(pypi, tmp_path, access_file):
    token_file = tmp_path / "cache" / "run.token"
    with run_app(tmp_path / "cache", pypi.simple_url, access_file=str(access_file)) as box:
        assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
        assert box.get("/-/metrics", authorization=f"Bearer {token_file.read_text()}").status == 200
    assert not token_file.exists()


async def test_an_application_that_is_started_again_lets_in_whom_it_let_in_before(
    tmp_path, pypi, access_file
):
    given = {"cache_dir": str(tmp_path / "cache"), "upstream": pypi.simple_url, "min_free": "0"}
    app = build_app(load_settings(None, {}, given | {"access_file": str(access_file)}))
    for _ in range(2):
        async with app:
            await app.access.door.admit(Request("GET", "/", "", {"authorization": ALICE}))
            app.access.door.renew(parse_keys(access_file.read_text()))


def test_no_secret_is_logged_or_told(shut, caplog):
    caplog.set_level("DEBUG")
    for given in (WRONG, ALICE, f"Bearer {TOKEN}"):
        shut.get("/pypi/simple/demo/", authorization=given)
    told = shut.get("/-/api/v1/settings", authorization=ALICE).body.decode()
    told += shut.get("/-/api/v1/activity", authorization=ALICE).body.decode()
    for secret in (PASSWORD, TOKEN, ADMIN, ALICE.partition(" ")[2], WRONG.partition(" ")[2]):
        assert secret not in caplog.text
        assert secret not in told


# ── the hot lane


def test_the_lane_answers_those_who_are_known_and_nobody_else(tmp_path, pypi, access_file, wheel):
    assert wheel.project == "demo"

    def page(*fields):
        return request("GET", "/pypi/simple/demo/", [*fields])

    with two_lanes(tmp_path / "cache", pypi.simple_url, access_file=str(access_file)) as both:
        good, bad = ("Authorization", ALICE), ("Authorization", WRONG)
        both.ask_lane(page(good) * 2 + LAST)
        both.calls.clear()
        assert both.ask_lane(page(good) * 3 + LAST).count(b"x-cache2: HIT") == 3
        assert both.calls == ["/-/health"]  # the application was not asked
        for fields in ([], [bad], [good, good], [good, bad]):
            answer = both.ask_lane(page(*fields) + LAST)
            assert answer.startswith(b"HTTP/1.1 401"), fields
            assert b"demo-1.0" not in answer
            assert answer == both.ask_plain(page(*fields) + LAST)
        expected = both.ask_plain(page(good) + LAST)
        assert both.ask_lane(page(good) + LAST) == expected
        assert b"max-age=300, private" in expected


def test_the_lane_forgets_whom_it_knew_when_the_file_changes(tmp_path, pypi, access_file, wheel):
    assert wheel.project == "demo"
    data = request("GET", "/pypi/simple/demo/", [("Authorization", ALICE)])
    with two_lanes(tmp_path / "cache", pypi.simple_url, access_file=str(access_file)) as both:
        assert both.ask_lane(data * 3 + LAST).count(b"HTTP/1.1 200") == 4
        access_file.write_text(f"ci:{hash_token(TOKEN.encode())}\n")
        both.running.call(both.running.app.access.look())
        assert both.ask_lane(data * 2 + LAST).count(b"HTTP/1.1 401") == 2


def test_a_request_with_credentials_takes_the_lane_of_an_open_cache(tmp_path, pypi, wheel):
    assert wheel.project == "demo"
    data = request("GET", "/pypi/simple/demo/", [("Authorization", WRONG)])
    with two_lanes(tmp_path / "cache", pypi.simple_url) as both:
        both.ask_lane(data * 2 + LAST)
        both.calls.clear()
        both.ask_lane(data * 2 + LAST)
        assert both.calls == ["/-/health"]
