"""Restricted access with real clients, as documented."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clients.client import Client
from tests.clients.environments import PIPS, UV, prepare
from tests.fakes.cheesebox_process import CheeseboxProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.conftest import Shop
    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
TEXT = (Path(__file__).resolve().parents[2] / "docs" / "access.md").read_text()
PASSWORD = "correct-horse"
SERVE, CLIENTS = re.findall(r"^```console\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
NETRC = re.findall(r"^```text\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)[0]


def documented(block: str) -> list[list[str]]:
    """Give the words of each command of an example."""
    return [shlex.split(line[2:]) for line in block.splitlines() if line.startswith("$ ")]


class Shut:
    """A server with the access file of the documentation, and the secrets that it was made of."""

    def __init__(self, process: CheeseboxProcess, token: str) -> None:
        self.process = process
        self.token = token

    def words(self, number: int) -> list[str]:
        """Give a documented command of a client, for this server."""
        root = self.process.mount_url.removesuffix("/pypi").removeprefix("http://")
        return [
            word.replace("127.0.0.1:6283", root).replace("PASSWORD", PASSWORD).replace("TOKEN", self.token)
            if word != "__token__"
            else word
            for word in documented(CLIENTS)[number]
        ]

    def url(self, userinfo: str) -> str:
        return self.process.url.replace("://", f"://{userinfo}@")


@pytest.fixture
def shut(pypi: FakePyPI, shop: Shop, tmp_path: Path) -> Iterator[Shut]:
    assert shop.new.project == "demo"
    told = ""
    for words in documented(SERVE)[:2]:
        assert words[-2:] == [">>", "access"]
        done = subprocess.run(
            [sys.executable, "-m", *words[:-2]],
            input=f"{PASSWORD}\n",
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        told += done.stderr
        with (tmp_path / "access").open("a") as file:
            file.write(done.stdout)
    [token] = re.findall(r"^The token of ci, shown this once: (\S+)$", told, re.MULTILINE)
    serve = documented(SERVE)[2]
    assert serve[:3] == ["cheesebox", "serve", "--access-file"]
    args = (serve[2], str(tmp_path / serve[3]))
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cheesebox", *args) as process:
        yield Shut(process, token)


@pytest.fixture(params=[PIPS[0], PIPS[-1]], ids=str)
def pip(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    return Client(prepare(request.param), tmp_path / "one")


@pytest.fixture
def uv(tmp_path: Path) -> Client:
    return Client(prepare(UV), tmp_path / "one", {"UV_NO_CONFIG": "1"})


def netrc(client: Client) -> dict[str, str]:
    """Write the documented netrc file into the client's home."""
    home = client.folder / "home"
    home.mkdir(parents=True)
    path = home / ".netrc"
    path.write_text(NETRC.replace("PASSWORD", PASSWORD))
    path.chmod(0o600)
    return {"NETRC": str(path)}


def is_installed(client: Client) -> bool:
    return (client.project / "installed" / "helper-1.5.dist-info").is_dir()


def test_pip_installs_with_the_documented_command(pip: Client, shut: Shut) -> None:
    program, *words = shut.words(0)
    assert program == "pip"
    output = pip.run(*words, "--target", "installed")
    assert is_installed(pip)
    assert PASSWORD not in output


def test_uv_installs_with_the_documented_command(uv: Client, shut: Shut) -> None:
    program, *words = shut.words(1)
    assert program == "uv"
    uv.run(*words, "--target", "installed")
    assert is_installed(uv)


def test_pip_takes_the_password_from_netrc(pip: Client, shut: Shut) -> None:
    netrc(pip)
    pip.run("install", "--index-url", shut.process.url, "--target", "installed", "demo")
    assert is_installed(pip)


def test_uv_takes_the_password_from_netrc(uv: Client, shut: Shut) -> None:
    command = ("pip", "install", "--default-index", shut.process.url, "--target", "installed", "demo")
    uv.run(*command, **netrc(uv))
    assert is_installed(uv)


@pytest.mark.parametrize("userinfo", ["", "alice:wrong@", "bob:correct-horse@"])
def test_pip_and_uv_get_nothing_without_the_right_password(
    pip: Client, uv: Client, shut: Shut, pypi: FakePyPI, userinfo: str
) -> None:
    url = shut.process.url.replace("://", f"://{userinfo}")
    for client, command in (
        (pip, ("install", "--index-url", url)),
        (uv.fresh("two"), ("pip", "install", "--default-index", url)),
    ):
        code, output = client.attempt(*command, "--target", "installed", "demo")
        assert code != 0
        assert "401" in output or "No matching distribution" in output
        assert not is_installed(client)
    assert pypi.count("*") == 0


def test_curl_gets_the_metrics_with_the_documented_command(shut: Shut) -> None:
    program, *words = shut.words(2)
    done = subprocess.run(
        [program, "-fsS", "--noproxy", "*", *words], capture_output=True, text=True, check=True, timeout=20
    )
    assert "cheesebox_requests_total" in done.stdout


@pytest.mark.parametrize("beside_a_server", [False, True], ids=["alone", "beside a server"])
def test_a_command_of_the_owner_needs_no_password(
    pypi: FakePyPI, shut: Shut, tmp_path: Path, *, beside_a_server: bool
) -> None:
    port = shut.process.mount_url.rpartition(":")[2].partition("/")[0]
    env = {
        "CHEESEBOX_UPSTREAM": pypi.simple_url,
        "CHEESEBOX_CACHE_DIR": str(tmp_path / ("cheesebox" if beside_a_server else "another")),
        "CHEESEBOX_PORT": port,
        "CHEESEBOX_ACCESS_FILE": str(tmp_path / "access"),
        "PIP_CONFIG_FILE": os.devnull,
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
    }
    warmed = subprocess.run(
        [sys.executable, "-m", "cheesebox", "warm", "demo"],
        env=env,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert warmed.returncode == 0, warmed.stderr
    assert "__token__" not in warmed.stdout + warmed.stderr
    install = (
        *prepare(PIPS[-1]).argv,
        "install",
        "--no-cache-dir",
        "--target",
        str(tmp_path / "into"),
        "demo",
    )
    done = subprocess.run(
        [sys.executable, "-m", "cheesebox", "run", "--", *install],
        env=env,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "into" / "helper-1.5.dist-info").is_dir()
