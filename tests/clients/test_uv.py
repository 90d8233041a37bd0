from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.client import Client
from tests.clients.environments import UV, prepare
from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.fakes.faults import Status

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.conftest import Shop
    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
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
    return Client(prepare(UV), tmp_path / "one")


def install(client: Client, url: str, *args: str) -> Path:
    client.run("pip", "install", "--default-index", url, "--target", "installed", *args, UV_NO_CONFIG="1")
    return client.project / "installed"


def compiled(client: Client, url: str, *args: str) -> list[str]:
    client.write("requirements.in", "demo\n")
    command = ("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--default-index", url)
    return client.run(*command, *args, "requirements.in", UV_NO_CONFIG="1").splitlines()


def test_uv_installs_and_again_with_the_upstream_gone(
    uv: Client, box: CheeseboxProcess, pypi: FakePyPI
) -> None:
    assert (install(uv, box.url, "demo") / "helper").is_dir()
    pypi.go_down()
    pypi.clear()
    assert (install(uv.fresh("two"), box.url, "demo") / "demo-2.0.dist-info").is_dir()
    assert pypi.count("*") == 0


def test_uv_compiles_from_core_metadata_alone(uv: Client, box: CheeseboxProcess, pypi: FakePyPI) -> None:
    assert compiled(uv, box.url) == ["demo==2.0", "helper==1.5"]
    assert (pypi.count("*.whl"), pypi.count("*.whl.metadata")) == (0, 2)


def test_uv_reads_metadata_by_ranges_where_the_index_has_none(
    uv: Client, box: CheeseboxProcess, pypi: FakePyPI
) -> None:
    pypi.add_wheel("demo", "3.0", requires=["helper"], metadata=False, size_padding=500_000)
    assert compiled(uv, box.url) == ["demo==3.0", "helper==1.5"]


def test_uv_resolves_as_of_a_day(uv: Client, box: CheeseboxProcess) -> None:
    assert compiled(uv, box.url, "--exclude-newer", "2025-02-01") == ["demo==1.0", "helper==1.5"]


def test_uv_locks_urls_that_end_as_upstream_s_and_syncs_from_them(
    uv: Client, box: CheeseboxProcess, pypi: FakePyPI, shop: Shop
) -> None:
    uv.write("pyproject.toml", PROJECT.format(url=box.url))
    uv.run("lock")
    lock = (uv.project / "uv.lock").read_text()
    assert f'url = "{box.mount_url}{shop.new.path}", hash = "sha256:{shop.new.sha256}"' in lock
    uv.run("sync", "--frozen")
    assert list((uv.project / ".venv").glob("lib/*/site-packages/helper-1.5.dist-info"))

    pypi.go_down()
    other = uv.fresh("two")
    other.write("pyproject.toml", PROJECT.format(url=box.url))
    other.write("uv.lock", lock)
    other.run("sync", "--locked")
    assert list((other.project / ".venv").glob("lib/*/site-packages/demo-2.0.dist-info"))


def test_refresh_reaches_through_to_what_is_new_upstream(
    uv: Client, pypi: FakePyPI, shop: Shop, tmp_path: Path
) -> None:
    at_once = {"CHEESEBOX_REFRESH_MIN_AGE": "0"}
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cheesebox", env=at_once) as box:
        assert f"demo=={shop.new.version}" in compiled(uv, box.url)
        pypi.add_wheel("demo", "3.0")
        assert compiled(uv.fresh("two"), box.url) == ["demo==2.0", "helper==1.5"]
        assert compiled(uv, box.url, "--refresh") == ["demo==3.0"]


def test_uv_is_told_of_upstream_trouble_and_not_of_a_missing_package(
    uv: Client, box: CheeseboxProcess, pypi: FakePyPI
) -> None:
    pypi.fault("/simple/*", Status(503))
    uv.write("requirements.in", "demo\n")
    command = ("pip", "compile", "--default-index", box.url, "requirements.in")
    code, output = uv.attempt(*command, UV_NO_CONFIG="1", UV_HTTP_RETRIES="0")
    assert code != 0
    assert "50" in output
    assert "not found in the package registry" not in output
