"""Real lock files, warmed, and installed from the cache with the upstream gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cheesebox.cli.main import main
from tests.clients.client import Client
from tests.clients.environments import PIPS, POETRY, UV, prepare
from tests.fakes.cheesebox_process import CheeseboxProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.conftest import Shop
    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
PROJECT = """\
[project]
name = "app"
version = "0"
requires-python = ">=3.11"
dependencies = ["demo", "colorama; sys_platform == 'win32'"]

[[tool.uv.index]]
name = "box"
url = "{url}"
default = true
"""
POETRY_PROJECT = """\
[project]
name = "app"
version = "0"
requires-python = ">=3.11"
dependencies = ["demo"]

[[tool.poetry.source]]
name = "box"
url = "{url}"
priority = "primary"
"""


@pytest.fixture
def uv(pypi: FakePyPI, shop: Shop, tmp_path: Path) -> Client:
    """uv with a project that is locked."""
    assert shop.new.project == "demo"
    pypi.add_wheel("colorama", "1.0")
    client = Client(prepare(UV), tmp_path / "uv")
    client.write("pyproject.toml", PROJECT.format(url=pypi.simple_url))
    client.run("lock")
    return client


@pytest.fixture
def cold(pypi: FakePyPI, tmp_path: Path) -> list[str]:
    """The settings of a cache that nobody has asked yet."""
    return ["--upstream", pypi.simple_url, "--cache-dir", str(tmp_path / "cold"), "--min-free", "0"]


def requested(pypi: FakePyPI) -> set[str]:
    return {name for name in ("demo", "helper", "colorama") if pypi.count(f"/packages/*/{name}-*.whl")}


def test_a_lock_of_uv_is_all_that_is_needed_to_sync_without_upstream(
    uv: Client, pypi: FakePyPI, cold: list[str], tmp_path: Path
) -> None:
    pypi.clear()
    assert main(["warm", *cold, "-r", str(uv.project / "uv.lock"), "--python", "3.12"]) == 0
    assert requested(pypi) == {"demo", "helper"}
    pypi.go_down()
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cold") as box:
        other = uv.fresh("other")
        other.write("pyproject.toml", PROJECT.format(url=box.url))
        lock = (uv.project / "uv.lock").read_text()
        other.write("uv.lock", lock.replace(pypi.simple_url, box.url).replace(pypi.url, box.mount_url))
        other.run("sync", "--frozen")
    assert list((other.project / ".venv").glob("lib/*/site-packages/demo-2.0.dist-info"))


def test_a_lock_of_uv_is_warmed_for_another_platform(uv: Client, pypi: FakePyPI, cold: list[str]) -> None:
    pypi.clear()
    lock = str(uv.project / "uv.lock")
    assert main(["warm", *cold, "-r", lock, "--python", "3.13", "--platform", "win_amd64"]) == 0
    assert requested(pypi) == {"demo", "helper", "colorama"}


@pytest.mark.parametrize("form", ["requirements.txt", "pylock.toml"])
def test_what_uv_exports_is_warmed_and_installed_without_upstream(
    uv: Client, pypi: FakePyPI, cold: list[str], tmp_path: Path, form: str
) -> None:
    uv.run("export", "--no-emit-project", "--format", form, "-o", form)
    assert main(["warm", *cold, "-r", str(uv.project / form), "--python", "3.12"]) == 0
    pypi.go_down()
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cold") as box:
        pip = Client(prepare(PIPS[-1]), tmp_path / "pip")
        pip.run("install", "--index-url", box.url, "--target", "installed", "demo==2.0")
    assert (pip.project / "installed" / "helper-1.5.dist-info").is_dir()


def test_a_lock_of_poetry_is_warmed(pypi: FakePyPI, shop: Shop, cold: list[str], tmp_path: Path) -> None:
    assert shop.new.project == "demo"
    poetry = Client(prepare(POETRY), tmp_path / "poetry")
    poetry.write("pyproject.toml", POETRY_PROJECT.format(url=pypi.simple_url))
    poetry.run("lock")
    pypi.clear()
    assert main(["warm", *cold, "-r", str(poetry.project / "poetry.lock")]) == 0
    assert requested(pypi) == {"demo", "helper"}
