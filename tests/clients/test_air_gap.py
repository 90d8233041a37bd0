"""Real installers on the other side: from an export behind a plain web server, and from an imported cache."""

from __future__ import annotations

import functools
import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from cheesebox.cli.main import main
from tests.clients.client import Client
from tests.clients.environments import PIPS, UV, prepare
from tests.fakes.cheesebox_process import CheeseboxProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.clients.conftest import Shop
    from tests.clients.environments import Tool
    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
PROJECT = """\
[project]
name = "app"
version = "0"
requires-python = ">=3.11"
dependencies = ["demo"]

[[tool.uv.index]]
name = "away"
url = "{url}"
default = true
"""
INSTALLERS = pytest.mark.parametrize("tool", [*PIPS, UV], ids=str)


@pytest.fixture
def home(pypi: FakePyPI, shop: Shop, tmp_path: Path) -> list[str]:
    """The settings of a cache that has the older ``demo`` with what it needs; the upstream is gone."""
    assert shop.new.project == "demo"
    given = ["--upstream", pypi.simple_url, "--min-free", "0", "--cache-dir", str(tmp_path / "home")]
    assert main(["warm", *given, "demo==1.0", "helper"]) == 0
    pypi.go_down()
    return given


@pytest.fixture
def web(home: list[str], tmp_path: Path) -> Iterator[str]:
    """The export as ``python -m http.server`` serves it."""
    assert main(["export", *home, str(tmp_path / "export")]) == 0
    handler = functools.partial(Quiet, directory=str(tmp_path / "export"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="web")
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()
        thread.join()


@pytest.fixture
def away(home: list[str], pypi: FakePyPI, tmp_path: Path) -> Iterator[CheeseboxProcess]:
    """A server on a cache into which the export was imported."""
    assert main(["export", *home, str(tmp_path / "export.tar.zst")]) == 0
    there = ["--upstream", pypi.simple_url, "--min-free", "0", "--cache-dir", str(tmp_path / "away")]
    assert main(["import", *there, str(tmp_path / "export.tar.zst")]) == 0
    with CheeseboxProcess(pypi.simple_url, tmp_path / "away", "--min-free", "0") as box:
        yield box


class Quiet(http.server.SimpleHTTPRequestHandler):
    """The handler of ``python -m http.server`` without its log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def installed(tool: Tool, url: str, folder: Path) -> None:
    client = Client(prepare(tool), folder)
    install = ("pip", "install") if tool is UV else ("install",)
    client.run(*install, "--index-url", url, "--target", "installed", "demo")
    assert (client.project / "installed" / "demo-1.0.dist-info").is_dir()
    assert (client.project / "installed" / "helper-1.5.dist-info").is_dir()


def synced(url: str, folder: Path) -> None:
    client = Client(prepare(UV), folder)
    client.write("pyproject.toml", PROJECT.format(url=url))
    client.run("lock")
    client.run("sync", "--frozen")
    assert list((client.project / ".venv").glob("lib/*/site-packages/demo-1.0.dist-info"))


@INSTALLERS
def test_an_export_is_installed_from_a_plain_web_server(tool: Tool, web: str, tmp_path: Path) -> None:
    installed(tool, web, tmp_path / "client")


@INSTALLERS
def test_an_imported_cache_serves_installers_without_upstream(
    tool: Tool, away: CheeseboxProcess, tmp_path: Path
) -> None:
    installed(tool, away.url, tmp_path / "client")


def test_uv_locks_and_syncs_from_a_plain_web_server(web: str, tmp_path: Path) -> None:
    synced(web, tmp_path / "client")


def test_uv_locks_and_syncs_from_an_imported_cache(away: CheeseboxProcess, tmp_path: Path) -> None:
    synced(away.url, tmp_path / "client")
