"""``stats``, ``ls`` and ``purge``, as programs beside a real server and without one."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress

import pytest

from cheesebox.server.control import NAME
from tests.cli.caches import at, cheesebox, fetch, root_of
from tests.fakes.cheesebox_process import CheeseboxProcess


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


@pytest.mark.parametrize("command", ["stats", "ls", "purge", "verify"])
def test_the_help_has_an_example_and_the_exit_codes(command):
    found = cheesebox(command, "--help")
    assert found.code == 0
    assert f"cheesebox {command}" in found.out.partition("Example:")[2]
    assert "Exit codes: 0 " in found.out


@pytest.mark.parametrize("command", [("stats",), ("ls",), ("ls", "demo"), ("purge", "demo"), ("verify",)])
def test_a_directory_without_a_cache_is_refused_and_left_as_it_was(command, tmp_path):
    found = cheesebox(*command, *at(tmp_path / "none"))
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert "nothing was cached yet" in found.err
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("box")
def test_projects_are_listed_in_plain_lines_by_the_order_that_is_asked_for(cache):
    found = rows(cheesebox("ls", "--order", "size", *at(cache)).out)
    assert [row[:2] for row in found] == [["demo", "2"], ["other-thing", "1"]]
    assert rows(cheesebox("ls", "--search", "THING", *at(cache)).out)[0][0] == "other-thing"
    assert len(rows(cheesebox("ls", "--limit", "1", *at(cache)).out)) == 1


@pytest.mark.usefixtures("box")
def test_a_project_is_listed_under_any_spelling_newest_version_first(cache, wheels):
    found = rows(cheesebox("ls", "DEMO", *at(cache)).out)
    assert [row[0] for row in found] == ["", "1.10", "1.0"]
    assert found[1][1:3] == [wheels[1].filename, str(len(wheels[1].content))]
    assert rows(cheesebox("ls", "Other.Thing", *at(cache)).out)[0][-2:] == ["file", "pypi"]
    assert [row[0] for row in rows(cheesebox("ls", "demo==1", *at(cache)).out)] == ["1.0"]


@pytest.mark.usefixtures("box")
def test_a_project_that_is_not_cached_gives_code_one(cache):
    found = cheesebox("ls", "unheard-of", *at(cache))
    assert (found.code, found.out, found.err) == (1, "", "cheesebox: nothing of unheard-of is cached\n")


def test_the_same_is_listed_with_a_server_without_one_and_from_afar(box, cache):
    by_socket = json.loads(cheesebox("ls", "demo", "--json", *at(cache)).out)
    from_afar = json.loads(cheesebox("ls", "demo", "--json", "--server", root_of(box) + "/").out)
    box.stop()
    without = json.loads(cheesebox("ls", "demo", "--json", *at(cache)).out)

    def facts(document):
        return [(o["filename"], o["version"], o["size"], o["digest"]) for o in document["objects"]]

    assert facts(by_socket) == facts(from_afar) == facts(without)
    assert len(facts(without)) == 3


def test_looking_at_a_cache_without_a_server_removes_nothing(box, cache):
    box.stop()
    environment = {"CHEESEBOX_INACTIVE": "1ms", "CHEESEBOX_MAX_SIZE": "1KB"}
    for _ in range(2):
        assert len(rows(cheesebox("ls", "demo", *at(cache), **environment).out)) == 3


def test_the_statistics_outlive_the_server(box, cache):
    box.stop()
    found = cheesebox("stats", *at(cache))
    total = next(row for row in rows(found.out) if row[0] == "total")
    assert total[2:5] == ["4", "4", "0"]
    assert total[-1] == "0.5000"
    assert ["index", "pypi", *total[2:]] in rows(found.out)
    assert sum(int(row[2]) for row in rows(found.out) if row[0] == "hour") == 4


@pytest.mark.usefixtures("box")
def test_the_statistics_of_a_running_server_have_its_upstreams_and_limits(cache):
    documents = json.loads(cheesebox("stats", "--json", *at(cache)).out)
    assert documents["overview"]["sum"]["hits"] == 4
    assert [host["failures"] for host in documents["overview"]["upstreams"]] == [0]
    found = rows(cheesebox("stats", *at(cache)).out)
    assert ["storage", "max_size", "50000000000"] in found
    assert [row[2] for row in found if row[0] == "upstream"] == ["4"]


def test_what_is_purged_is_fetched_again_by_the_running_server(box, cache, wheels):
    file, page = f"{box.mount_url}{wheels[0].path}", f"{box.url}demo/"
    found = cheesebox("purge", "Demo==1.0.0", *at(cache))
    assert (found.code, found.out) == (0, f"1 object removed, {len(wheels[0].content)} B\n")
    assert (fetch(file)[0], fetch(page)[0]) == ("MISS", "HIT")
    assert cheesebox("purge", "demo", *at(cache)).out.startswith("3 objects removed, ")
    assert (fetch(page)[0], fetch(file)[0]) == ("MISS", "MISS")
    assert fetch(f"{box.mount_url}{wheels[2].path}")[0] == "HIT"


def test_a_purge_without_a_server_is_seen_by_the_next_one(box, cache, wheels, pypi):
    box.stop()
    found = json.loads(cheesebox("purge", "demo==1.10", "--json", *at(cache)).out)
    assert found == {"objects": 1, "bytes": len(wheels[1].content)}
    with CheeseboxProcess(pypi.simple_url, cache) as later:
        assert fetch(f"{later.mount_url}{wheels[1].path}")[0] == "MISS"
        assert fetch(f"{later.mount_url}{wheels[0].path}")[0] == "HIT"


@pytest.mark.usefixtures("box")
def test_several_projects_are_purged_and_the_one_that_was_not_there_is_named(cache):
    found = cheesebox("purge", "demo", "nothing", "other_thing", *at(cache))
    assert (found.code, found.err) == (1, "cheesebox: nothing of nothing was cached\n")
    assert found.out.startswith("4 objects removed, ")


@pytest.mark.usefixtures("box")
def test_only_what_is_old_or_of_an_index_is_purged_when_that_is_said(cache):
    assert cheesebox("purge", "--older-than", "1h", *at(cache)).out == "0 objects removed, 0 B\n"
    assert cheesebox("purge", "demo", "--index", "other", *at(cache)).code == 1
    assert cheesebox("purge", "--all", "--yes", "--index", "other", *at(cache)).out.startswith("0 objects")
    assert cheesebox("purge", "--older-than", "0", *at(cache)).out.startswith("4 objects")


@pytest.mark.usefixtures("box")
def test_a_script_says_yes_before_everything_goes(cache):
    refused = cheesebox("purge", "--all", *at(cache))
    assert (refused.code, refused.out) == (2, "")
    assert "--all needs --yes" in refused.err
    assert cheesebox("purge", "--all", "--yes", *at(cache)).out.startswith("4 objects removed, ")
    assert cheesebox("ls", *at(cache)).out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--all", "demo"),
        ("--all", "--older-than", "1d"),
        ("--index", "pypi"),
        ("demo>=1",),
        ("--older-than", "x", "demo"),
    ],
)
def test_a_purge_that_does_not_say_what_is_refused(arguments, tmp_path):
    found = cheesebox("purge", *arguments, *at(tmp_path))
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)


def test_a_remote_server_is_purged_with_its_token_alone(box):
    remote = ("purge", "demo==1.0", "--server", root_of(box))
    without = cheesebox(*remote)
    assert (without.code, without.out) == (2, "")
    assert "CHEESEBOX_ADMIN_TOKEN" in without.err
    assert cheesebox(*remote, CHEESEBOX_ADMIN_TOKEN="guess").code == 2
    assert cheesebox(*remote, CHEESEBOX_ADMIN_TOKEN="open-sesame").out.startswith("1 object removed, ")


@pytest.mark.parametrize(
    "url", ["ftp://host/", "host:80", "http://", "http://u:p@host/", "http://host/?a=b", "http://[/"]
)
def test_what_is_no_root_of_a_site_is_refused(url):
    found = cheesebox("ls", "--server", url)
    assert (found.code, found.err.count("\n")) == (2, 1)


def test_another_site_is_no_cheesebox(pypi):
    found = cheesebox("ls", "--server", pypi.simple_url)
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert "give the root of a cheesebox" in found.err


def test_a_dead_servers_socket_is_passed_over(box, cache):
    box.kill()
    assert (cache / NAME).exists()
    assert len(rows(cheesebox("ls", *at(cache)).out)) == 2


def test_a_cache_that_another_program_has_is_asked_for_by_url(box, cache):
    box.stop()
    with (cache / ".lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = cheesebox("ls", *at(cache))
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert "--server URL" in found.err


def test_a_directory_with_a_long_name_is_reached(pypi, tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.parent.mkdir()
    with CheeseboxProcess(pypi.simple_url, deep):
        assert (cheesebox("ls", *at(deep)).code, (deep / NAME).is_socket()) == (0, True)
        with socket.socket(socket.AF_UNIX) as direct, pytest.raises(OSError, match="too long"):
            direct.connect(str(deep / NAME))


def on_a_terminal(*args: str, **env: str) -> str:
    """Give what the program writes to a terminal."""
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "cheesebox", *args]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "120", **env}
    with subprocess.Popen(command, stdout=follower, stdin=subprocess.DEVNULL, env=environ) as process:
        os.close(follower)
        written = bytearray()
        with suppress(OSError), os.fdopen(leader, "rb", buffering=0) as screen:  # EIO is its end on Linux
            while chunk := screen.read(4096):
                written += chunk
    assert process.returncode == 0
    return written.decode()


def test_colours_are_for_terminals_and_for_those_who_want_them(box, cache):
    box.stop()
    assert "\x1b[32m█" in on_a_terminal("stats", *at(cache))
    plain = on_a_terminal("stats", *at(cache), NO_COLOR="1")
    assert "50.0 %" in plain
    assert "\x1b[32m" not in plain
    assert "2 projects, 3 files" in on_a_terminal("ls", *at(cache), NO_COLOR="1")


@pytest.mark.parametrize("more", [{"project": "demo"}, {"all": True}, {"older_than": 1}])
def test_keys_go_with_no_other_condition(box, more):
    body = json.dumps({"keys": ["pypi/simple/demo.page"], **more}).encode()
    headers = {"Authorization": "Bearer open-sesame"}
    request = urllib.request.Request(f"{root_of(box)}/-/api/v1/purge", body, headers)
    with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(request, timeout=30):
        pass
    with caught.value as answer:
        assert answer.code == 400
