"""pip and uv install from the merged index of the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cheesebox.settings_loading import load_settings
from tests.clients.client import Client
from tests.clients.environments import PIPS, UV, prepare
from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.fakes.distributions import Release, wheel_bytes
from tests.fakes.pypi import FakePyPI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.conftest import Shop

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
DOCUMENT = Path(__file__).parents[2] / "docs" / "indexes.md"
PROJECT = """\
[project]
name = "tiny"
version = "0"
requires-python = ">=3.11"
dependencies = ["demo", "own"]

[[tool.uv.index]]
name = "box"
url = "{url}"
default = true
"""


@pytest.fixture
def internal() -> Iterator[FakePyPI]:
    with FakePyPI() as double:
        yield double


@pytest.fixture
def merged(pypi: FakePyPI, internal: FakePyPI, shop: Shop, tmp_path: Path) -> Iterator[CheeseboxProcess]:
    """Cheesebox with the settings of the documentation; ``mirror.example`` is away."""
    assert shop.helper.version == "1.5"
    wheels, token = tmp_path / "wheels", tmp_path / "token"
    wheels.mkdir()
    (wheels / "own-1.0-py3-none-any.whl").write_bytes(
        wheel_bytes(Release("own", "1.0", ("helper",), None), "py3-none-any", 0, {})
    )
    token.write_text("secret\n")
    (toml,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    for written, ours in (
        ("https://index.example/simple/", internal.simple_url),
        ("https://mirror.example/simple/", "http://127.0.0.1:9/simple/"),
        ("https://pypi.org/simple/", pypi.simple_url),
        ("https://torch.example/simple/", internal.simple_url),
        ("/run/secrets/index-token", str(token)),
        ("wheels/", f"{wheels}/"),
    ):
        assert written in toml
        toml = toml.replace(written, ours)
    config = tmp_path / "cheesebox.toml"
    config.write_text(toml)
    assert load_settings(config, {}, {}).front.name == "all"
    with CheeseboxProcess(None, tmp_path / "cache", "--config", str(config)) as process:
        yield process


def test_pip_installs_from_a_folder_an_internal_index_and_a_public_one(
    merged: CheeseboxProcess, internal: FakePyPI, tmp_path: Path
) -> None:
    internal.add_wheel("demo", "0.5", requires=["helper>=1"])
    client = Client(prepare(PIPS[-1]), tmp_path / "pip")
    client.run("install", "--index-url", merged.url, "--target", "installed", "own", "demo")
    installed = {path.name for path in (client.project / "installed").glob("*.dist-info")}
    assert installed == {"own-1.0.dist-info", "demo-0.5.dist-info", "helper-1.5.dist-info"}


def test_uv_locks_files_of_the_merged_mount_and_installs_them_with_all_upstreams_gone(
    merged: CheeseboxProcess, internal: FakePyPI, pypi: FakePyPI, tmp_path: Path
) -> None:
    internal.add_wheel("demo", "0.5", requires=["helper>=1"])
    client = Client(prepare(UV), tmp_path / "uv")
    client.write("pyproject.toml", PROJECT.format(url=merged.url))
    client.run("sync")
    lock = (client.project / "uv.lock").read_text()
    assert f"{merged.mount_url}/sources/internal/packages/" in lock
    assert f"{merged.mount_url}/sources/local/packages/own-1.0-py3-none-any.whl" in lock
    internal.go_down()
    pypi.go_down()
    other = client.fresh("uv2")
    other.write("pyproject.toml", PROJECT.format(url=merged.url))
    other.write("uv.lock", lock)
    other.run("sync", "--frozen")
    assert list((other.project / ".venv").glob("lib/*/site-packages/demo-0.5.dist-info"))
