"""``cheesebox warm`` before the index double."""

from __future__ import annotations

import json
from urllib.request import urlopen

import pytest

from cheesebox.cli.main import main
from cheesebox.cli.warm import mount_url
from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.fakes.faults import Status


@pytest.fixture
def warm(pypi, tmp_path, capsys):
    """Run the command on one cache; gives its exit code, its output and its errors."""

    def call(*args, **options):
        given = {
            "upstream": pypi.simple_url,
            "cache-dir": tmp_path / "cache",
            "min-free": "0",
            "retries": "0",
        }
        given |= {name.replace("_", "-"): value for name, value in options.items()}
        flags = [part for name, value in given.items() for part in (f"--{name}", str(value))]
        code = main(["warm", *flags, *args])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def stocked(pypi):
    """An index with two versions of a project, one of them with wheels for platforms."""
    pypi.add_wheel("demo", "1.0", requires=["helper"])
    pypi.add_wheel("demo", "2.0", requires=["helper"], tag="cp312-cp312-win_amd64")
    pypi.add_wheel("demo", "2.0", requires=["helper"], tag="cp312-cp312-manylinux_2_17_x86_64")
    pypi.add_sdist("src", "1.0")
    return pypi


def verdict(url):
    with urlopen(url, timeout=30) as answer:
        return answer.headers["x-cache2"]


def summary(told):
    code, out, err = told
    assert err == ""
    return code, json.loads(out)


def test_files_and_their_metadata_are_served_from_the_cache_afterwards(warm, stocked, tmp_path):
    code, out, err = warm("demo==1.0", "src")
    assert (code, err) == (0, "")
    assert "demo-1.0-py3-none-any.whl.metadata" in out
    assert out.endswith("2 projects: 3 files fetched (2.2 KB), 0 were cached, 0 failed\n")
    stocked.go_down()
    paths = [path for path in stocked._contents.by_path if "demo-1.0" in path or "src" in path]
    with CheeseboxProcess(stocked.simple_url, tmp_path / "cache") as server:
        assert verdict(f"{server.url}demo/") in {"HIT", "STALE"}
        assert [verdict(server.mount_url + path) for path in [*paths, f"{paths[0]}.metadata"]] == ["HIT"] * 3


def test_what_is_cached_is_skipped(warm, stocked):
    assert summary(warm("demo==1.0", "--json"))[1]["fetched"] == 2
    stocked.clear()
    code, told = summary(warm("demo==1.0", "src", "--json"))
    assert (code, told["fetched"], told["cached"], told["failures"]) == (0, 1, 2, [])
    assert stocked.count("*demo-1.0*") == 0


def test_a_broken_run_goes_on_where_it_stopped(warm, stocked):
    stocked.fault("*/demo-1.0-py3-none-any.whl", Status(500))
    code, told = summary(warm("demo==1.0", "src", "--json"))
    assert (code, [failure["what"] for failure in told["failures"]]) == (1, ["demo-1.0-py3-none-any.whl"])
    stocked.heal()
    code, told = summary(warm("demo==1.0", "src", "--json"))
    assert (code, told["fetched"], told["cached"], told["failures"]) == (0, 1, 2, [])


def test_files_are_chosen_for_platforms_and_versions_of_python(warm, stocked):
    options = ("--python", "3.12", "--platform", "win_amd64", "--platform", "linux_x86_64", "--json")
    assert summary(warm("demo", *options))[1]["fetched"] == 4
    assert stocked.count("*manylinux*.whl") == stocked.count("*win_amd64.whl") == 1
    assert stocked.count("*/demo-1.0*") == 0


def test_all_files_of_a_version_are_taken_if_so_asked(warm, stocked):
    assert summary(warm("demo", "--all", "--json"))[1]["fetched"] == 4
    assert stocked.count("*/demo-1.0*") == 0


def test_what_could_not_be_had_is_listed(warm, stocked):
    assert stocked.count("*") == 0
    code, out, err = warm("nope", "demo==9", "six @ https://example.org/six.zip", "src")
    assert code == 1
    assert err.splitlines()[0] == "six @ https://example.org/six.zip: comes from no index, left out"
    assert err.splitlines()[1].startswith("demo==9 for Python ")
    assert err.splitlines()[1].endswith(" on this machine: no file of this index fits")
    assert err.splitlines()[2] == "nope: 404 Not Found"
    assert out.endswith("2 projects: 1 files fetched (1.2 KB), 0 were cached, 2 failed\n")


def test_a_file_that_is_withheld_is_not_there(warm, stocked):
    assert stocked.count("*") == 0
    code, told = summary(warm("demo==1.0", "--json", deny="demo==1.0"))
    assert (code, len(told["failures"])) == (1, 1)


def test_a_digest_that_the_lock_does_not_know_is_a_failure(warm, stocked, tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"demo==1.0 --hash=sha256:{'0' * 64}\nsrc==1.0\n")
    code, told = summary(warm("-r", str(lock), "--json"))
    assert (code, told["fetched"], len(told["failures"])) == (1, 1, 1)
    assert stocked.count("*demo-1.0*") == 0


def test_a_lock_may_be_named_like_a_project(warm, stocked, tmp_path):
    lock = tmp_path / "requirements.txt"
    digest = next(file for file in stocked._contents.by_path.values() if "src" in file.filename).sha256
    lock.write_text(f"src==1.0 --hash=sha256:{digest}\n")
    assert summary(warm(str(lock), "--json"))[1]["fetched"] == 1


def test_no_more_requests_than_jobs_are_under_way(warm, pypi):
    for number in range(12):
        pypi.add_sdist(f"p{number}", "1.0")
    pypi.latency = 0.02
    projects = [f"p{number}" for number in range(12)]
    assert summary(warm(*projects, "--jobs", "3", "--json"))[1]["fetched"] == 12
    assert pypi.high_water <= 3


def test_the_cache_of_a_running_server_is_filled_by_its_url(warm, stocked, tmp_path):
    with CheeseboxProcess(stocked.simple_url, tmp_path / "cache") as server:
        for url in (server.url, server.mount_url, server.mount_url.removesuffix("/pypi")):
            code, told = summary(warm("src", "--server", url, "--json"))
            assert (code, told["fetched"] + told["cached"]) == (0, 1)
    assert stocked.count("*/src-1.0.tar.gz") == 1


def test_the_server_that_uses_the_cache_is_found(warm, stocked, tmp_path):
    with CheeseboxProcess(stocked.simple_url, tmp_path / "cache") as server:
        port = server.url.split(":")[2].partition("/")[0]
        code, out, err = warm("src", port=port)
    assert (code, err) == (
        0,
        f"cheesebox: a server uses this cache: it is asked, at http://127.0.0.1:{port}\n",
    )
    assert "1 files fetched" in out


def test_a_server_that_is_not_found_has_to_be_named(warm, stocked, tmp_path):
    with CheeseboxProcess(stocked.simple_url, tmp_path / "cache"):
        code, out, err = warm("src", port="1")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "a server uses this cache" in err
    assert "give --server URL" in err


def test_a_server_that_is_no_cheesebox_is_refused(warm, stocked):
    code, told = summary(warm("src", "--server", stocked.url + "/", "--json"))
    assert code == 1
    assert [failure["what"] for failure in told["failures"]] == ["src"]
    code, told = summary(warm("src", "--server", stocked.simple_url, "--json"))
    assert (code, told["failures"][0]["reason"]) == (1, "404 Not Found")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), "name a lock file (-r FILE) or a project"),
        (("-r", "no-such.lock"), "no-such.lock: No such file or directory"),
        (("a b",), "'a b' is no requirement"),
        (("six", "--platform", "amiga"), "platform 'amiga'"),
        (("six", "--index", "other"), "index 'other': there is none of this name; there are pypi"),
    ],
)
def test_what_cannot_be_understood_is_told_in_one_line(warm, args, told):
    code, out, err = warm(*args)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err


@pytest.mark.parametrize(
    "url", ["http://h:1", "http://h:1/", "http://h:1/pypi", "http://h:1/pypi/", "http://h:1/pypi/simple/"]
)
def test_a_server_may_be_named_by_its_root_its_mount_or_its_simple_api(url):
    assert mount_url(url, "/pypi") == "http://h:1/pypi/"
