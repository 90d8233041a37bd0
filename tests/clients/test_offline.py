"""What pip and uv make of a cache that asks no upstream."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.clients.client import Client
from tests.clients.environments import PIPS, UV, Tool, prepare

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.conftest import Shop
    from tests.fakes.cheesebox_process import CheeseboxProcess
    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture
def away(box: CheeseboxProcess, shop: Shop, pypi: FakePyPI, tmp_path: Path) -> CheeseboxProcess:
    """Offline, after somebody has downloaded the older version."""
    filler = Client(prepare(PIPS[-1]), tmp_path / "filler")
    filler.run("download", "--index-url", box.url, f"demo=={shop.old.version}")
    os.kill(box.pid, signal.SIGUSR1)
    box.wait_for_line("offline: no upstream is asked")
    pypi.clear()
    return box


@pytest.fixture
def uv(tmp_path: Path) -> Client:
    return Client(prepare(UV), tmp_path / "uv")


@pytest.mark.parametrize("tool", PIPS, ids=str)
def test_pip_installs_the_older_version_that_is_in_the_cache(
    tool: Tool, away: CheeseboxProcess, pypi: FakePyPI, tmp_path: Path
) -> None:
    pip = Client(prepare(tool), tmp_path / "pip")
    pip.run("install", "--index-url", away.url, "--target", "installed", "demo")
    assert (pip.project / "installed" / "demo-1.0.dist-info").is_dir()
    assert (pip.project / "installed" / "helper-1.5.dist-info").is_dir()
    assert pypi.count("*") == 0


def test_uv_installs_the_older_version_that_is_in_the_cache(
    uv: Client, away: CheeseboxProcess, pypi: FakePyPI
) -> None:
    uv.run("pip", "install", "--default-index", away.url, "--target", "installed", "demo")
    assert (uv.project / "installed" / "demo-1.0.dist-info").is_dir()
    assert pypi.count("*") == 0


def asked(box: CheeseboxProcess, path: str) -> int:
    return sum(path in line for line in box.log_lines())


def test_uv_says_at_once_why_a_project_cannot_be_had(uv: Client, away: CheeseboxProcess) -> None:
    code, output = uv.attempt("pip", "install", "--default-index", away.url, "--target", "installed", "other")
    told = " ".join(output.split())
    assert code != 0
    assert "Server message: Offline, cheesebox is offline, and" in told
    assert "/simple/other/ is not in the cache" in told
    assert "424 Failed Dependency" in told
    away.wait_for_line("/simple/other/")
    assert asked(away, "GET /pypi/simple/other/") == 1


@pytest.mark.parametrize("tool", PIPS, ids=str)
def test_pip_gives_up_at_once_on_a_project_that_cannot_be_had(
    tool: Tool, away: CheeseboxProcess, tmp_path: Path
) -> None:
    pip = Client(prepare(tool), tmp_path / "pip")
    code, output = pip.attempt("install", "-vv", "--index-url", away.url, "--target", "installed", "other")
    assert code != 0
    assert "No matching distribution found for other" in output
    assert "424 Client Error: Failed Dependency for url" in output
    away.wait_for_line("/simple/other/")
    assert asked(away, "GET /pypi/simple/other/") == 1


def test_uv_does_not_look_for_it_in_another_index(uv: Client, away: CheeseboxProcess, pypi: FakePyPI) -> None:
    pypi.add_wheel("other", "1.0")
    command = ("pip", "install", "--index", away.url, "--default-index", pypi.simple_url, "--target", "t")
    code, _ = uv.attempt(*command, "other")
    assert code != 0
    assert pypi.count("*") == 0


PROJECT = """\
[project]
name = "tiny"
version = "0"
requires-python = ">=3.11"
dependencies = ["demo"]

[[tool.uv.index]]
name = "box"
url = "{url}"
default = true
"""


def test_uv_says_at_once_why_a_locked_file_cannot_be_had(
    uv: Client, box: CheeseboxProcess, shop: Shop
) -> None:
    uv.write("pyproject.toml", PROJECT.format(url=box.url))
    uv.run("lock")
    os.kill(box.pid, signal.SIGUSR1)
    box.wait_for_line("offline: no upstream is asked")
    code, output = uv.attempt("sync", "--frozen")
    told = " ".join(output.split())
    assert code != 0
    assert "Server message: Offline, cheesebox is offline, and packages/" in told
    found = re.search(r"(\S+\.whl) is not in the cache", told)
    assert found
    filename = found[1].rpartition("/")[2]
    assert filename in {shop.new.filename, shop.helper.filename}  # whichever fails first
    box.wait_for_line(f"424 .*{re.escape(filename)} ")
    assert asked(box, filename + " ") == 1
