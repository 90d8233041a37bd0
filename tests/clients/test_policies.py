"""What pip and uv make of withheld files and of an index of the past."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.clients.client import Client
from tests.clients.environments import PIPS, UV, Tool, prepare
from tests.fakes.cheesebox_process import CheeseboxProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.clients.conftest import Shop
    from tests.fakes.index_pages import FakeFile
    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
PIP = PIPS[-1]
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


@pytest.fixture
def uv(tmp_path: Path) -> Client:
    return Client(prepare(UV), tmp_path / "uv")


@pytest.fixture
def young(pypi: FakePyPI, shop: Shop) -> FakeFile:
    """A third version of ``demo``, uploaded just now."""
    assert shop.new.version == "2.0"
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    return pypi.add_wheel("demo", "3.0", requires=["helper>=1"], upload_time=now)


@pytest.fixture
def careful(pypi: FakePyPI, young: FakeFile, tmp_path: Path) -> Iterator[CheeseboxProcess]:
    """Cheesebox with a cooldown."""
    assert young.version == "3.0"
    options = ("--min-age", "7d", "--deny", "helper>9")
    with CheeseboxProcess(pypi.simple_url, tmp_path / "careful", *options) as process:
        yield process


def locked(client: Client, url: str) -> list[str]:
    client.write("pyproject.toml", PROJECT.format(url=url))
    client.run("lock")
    return re.findall(r'name = "demo"\nversion = "(.*)"', (client.project / "uv.lock").read_text())


def at(box: CheeseboxProcess, moment: str) -> str:
    return f"{box.mount_url}/@{moment}/simple/"


def test_uv_locks_the_newest_version_that_is_not_withheld(uv: Client, careful: CheeseboxProcess) -> None:
    assert locked(uv, careful.url) == ["2.0"]
    uv.run("sync", "--frozen")
    assert list((uv.project / ".venv").glob("lib/*/site-packages/demo-2.0.dist-info"))


def test_uv_tells_why_a_locked_file_is_withheld(
    uv: Client, box: CheeseboxProcess, careful: CheeseboxProcess, young: FakeFile
) -> None:
    assert locked(uv, box.url) == ["3.0"]
    lock = uv.project / "uv.lock"
    lock.write_text(lock.read_text().replace(box.mount_url, careful.mount_url))
    other = uv.fresh("other")
    other.write("pyproject.toml", PROJECT.format(url=careful.url))
    other.write("uv.lock", lock.read_text())
    code, output = other.attempt("sync", "--frozen")
    assert code != 0
    told = " ".join(output.split())
    assert "Withheld by policy" in told
    assert f"{young.filename} is withheld: it was uploaded" in told
    assert "it is allowed from" in told


@pytest.mark.parametrize("tool", PIPS, ids=str)
def test_pip_takes_the_newest_version_that_is_not_withheld(
    tool: Tool, careful: CheeseboxProcess, tmp_path: Path
) -> None:
    pip = Client(prepare(tool), tmp_path / "pip")
    pip.run("install", "--index-url", careful.url, "--target", "installed", "demo")
    assert (pip.project / "installed" / "demo-2.0.dist-info").is_dir()


@pytest.mark.parametrize("tool", PIPS, ids=str)
def test_pip_gives_up_at_once_on_a_withheld_file(
    tool: Tool, careful: CheeseboxProcess, young: FakeFile, tmp_path: Path
) -> None:
    pip = Client(prepare(tool), tmp_path / "pip")
    url = f"{careful.mount_url}{young.path}"
    code, output = pip.attempt("download", "--index-url", careful.url, "--no-deps", url)
    assert code != 0
    assert "403" in output
    assert "Retrying" not in output
    careful.wait_for_line(re.escape(young.filename))
    asked = [line for line in careful.log_lines() if young.filename in line]
    assert len(asked) <= 2  # the metadata and the file: nothing is asked twice


def test_a_denied_project_is_not_looked_for_in_another_index(
    uv: Client, pypi: FakePyPI, shop: Shop, box: CheeseboxProcess, tmp_path: Path
) -> None:
    assert shop.new.project == "demo"
    with CheeseboxProcess(pypi.simple_url, tmp_path / "denying", "--deny", "demo") as denying:
        uv.write("requirements.in", "demo\n")
        command = ("pip", "compile", "--index", denying.url, "--default-index", box.url, "requirements.in")
        code, output = uv.attempt(*command, UV_NO_CONFIG="1")
    assert code != 0
    assert "demo" in output
    assert not [line for line in box.log_lines() if "/simple/demo/" in line]


@pytest.mark.parametrize("moment", ["2025-02-01", "2025-02-28T23:59:59Z"])
def test_pip_and_uv_install_what_there_was_at_a_moment(
    uv: Client, box: CheeseboxProcess, shop: Shop, tmp_path: Path, moment: str
) -> None:
    pip = Client(prepare(PIP), tmp_path / "pip")
    pip.run("install", "--index-url", at(box, moment), "--target", "installed", "demo")
    assert (pip.project / "installed" / "demo-1.0.dist-info").is_dir()
    assert locked(uv, at(box, moment)) == [shop.old.version]
    uv.run("sync", "--frozen")
    assert list((uv.project / ".venv").glob("lib/*/site-packages/demo-1.0.dist-info"))


def test_a_lock_made_in_the_past_is_refreshed_to_the_same(uv: Client, box: CheeseboxProcess) -> None:
    first = locked(uv, at(box, "2025-02-01"))
    uv.run("lock", "--upgrade", "--refresh")
    assert re.findall(r'name = "demo"\nversion = "(.*)"', (uv.project / "uv.lock").read_text()) == first
