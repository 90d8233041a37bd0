from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.clients.environments import PIPS, UV, prepare

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.conftest import Shop
    from tests.clients.environments import Tool
    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture
def settings(pypi: FakePyPI, shop: Shop, tmp_path: Path) -> dict[str, str]:
    """The settings of ``cheesebox run`` as environment variables, before an index with ``demo`` in it."""
    assert shop.new.project == "demo"
    return {
        "CHEESEBOX_UPSTREAM": pypi.simple_url,
        "CHEESEBOX_CACHE_DIR": str(tmp_path / "cheesebox"),
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_CONFIG": "1",
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
    }


def run(settings: dict[str, str], folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        (sys.executable, "-m", "cheesebox", "run", "--", *command),
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.parametrize(
    ("tool", "install"),
    [(PIPS[-1], ("install", "--no-cache-dir")), (UV, ("pip", "install", "--no-cache"))],
    ids=["pip", "uv"],
)
def test_a_command_runs_with_its_index_set_and_again_with_the_upstream_gone(
    settings: dict[str, str], pypi: FakePyPI, tmp_path: Path, tool: Tool, install: tuple[str, ...]
) -> None:
    command = (*prepare(tool).argv, *install, "--target", "installed", "demo")
    first = run(settings, tmp_path / "one", *command)
    assert first.returncode == 0, first.stderr
    pypi.go_down()
    second = run(settings, tmp_path / "two", *command)
    assert second.returncode == 0, second.stderr
    assert (tmp_path / "two" / "installed" / "helper-1.5.dist-info").is_dir()


def test_the_exit_code_of_the_command_is_its_own(settings: dict[str, str], tmp_path: Path) -> None:
    done = run(settings, tmp_path, sys.executable, "-c", "raise SystemExit(7)")
    assert done.returncode == 7, done.stderr
