"""The examples of the documentation, run by a real uv and a real pip."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cheesebox.cli.main import main
from cheesebox.server.sockets import listen
from tests.clients.client import Client
from tests.clients.environments import PIPS, UV, prepare
from tests.fakes.cheesebox_process import CheeseboxProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.conftest import Shop
    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "air-gap.md"
PROJECT = '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["demo"]\n'


def examples() -> list[list[str]]:
    blocks = re.findall(r"^```console\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


@contextmanager
def web_server(arguments: list[str]) -> Iterator[str]:
    """Run ``python -m http.server`` on another port than the documented one; gives the port."""
    with listen("127.0.0.1", 0) as sock:
        port = str(sock.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, *arguments[:-1], port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/simple/")
        yield port
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.URLError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_examples_carry_packages_over(
    pypi: FakePyPI, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm, export, take, serve, export_directory, web, install = examples()
    assert shop.new.project == "demo"
    uv = Client(prepare(UV), tmp_path / "uv")
    uv.write("pyproject.toml", PROJECT)
    uv.run("lock", "--default-index", pypi.simple_url)
    monkeypatch.chdir(uv.project)
    monkeypatch.setenv("CHEESEBOX_UPSTREAM", pypi.simple_url)
    monkeypatch.setenv("CHEESEBOX_MIN_FREE", "0")
    monkeypatch.setenv("CHEESEBOX_CACHE_DIR", str(tmp_path / "home"))
    for command in (warm, export, export_directory):
        assert main(command[1:]) == 0
    pypi.go_down()
    monkeypatch.setenv("CHEESEBOX_CACHE_DIR", str(tmp_path / "away"))
    assert main(take[1:]) == 0
    with CheeseboxProcess(pypi.simple_url, tmp_path / "away", *serve[2:]) as box:
        pip = Client(prepare(PIPS[-1]), tmp_path / "pip")
        pip.run("install", "--index-url", box.url, "--target", "installed", "demo")
    with web_server(web[1:]) as port:
        arguments = [word.replace(":8000/", f":{port}/") for word in install[1:]]
        pip.fresh("other").run(*arguments, "--target", "installed")
    for name in ("pip", "other"):
        assert (tmp_path / name / "project" / "installed" / "demo-2.0.dist-info").is_dir()
