"""What ``cheesebox config`` prints and writes, used by the tools themselves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from cheesebox.cli.config import clients
from cheesebox.cli.config.address import Address, parse_address
from cheesebox.cli.places import Surroundings, pip_files, pip_user_file, uv_user_file
from tests.clients.client import Client
from tests.clients.environments import PDM, PIPS, POETRY, UV, prepare

if TYPE_CHECKING:
    from tests.fakes.cheesebox_process import CheeseboxProcess

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
PROJECT = '[project]\nname = "tiny"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["demo"]\n'


@pytest.fixture
def address(box: CheeseboxProcess) -> Address:
    return parse_address(box.url)


@pytest.fixture
def pip(tmp_path: Path) -> Client:
    """A pip that reads its user's configuration."""
    return Client(prepare(PIPS[-1]), tmp_path / "one", {"PIP_CONFIG_FILE": ""})


@pytest.fixture
def uv(tmp_path: Path) -> Client:
    return Client(prepare(UV), tmp_path / "one")


def around(client: Client) -> Surroundings:
    home = client.folder / "home"
    return Surroundings("linux", {"XDG_CONFIG_HOME": f"{home}/config"}, str(home))


def write(client: Client, tool: str, url: str) -> str:
    """Run ``cheesebox config TOOL --write`` as the user whose home the client has."""
    home = client.folder / "home"
    done = subprocess.run(
        (sys.executable, "-m", "cheesebox", "config", tool, "--url", url, "--write"),
        env={"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CONFIG_HOME": f"{home}/config"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def installed(client: Client) -> list[str]:
    return sorted(path.name for path in client.project.glob("**/*.dist-info"))


def test_pip_follows_what_was_written_and_edits_the_same_file(pip: Client, box: CheeseboxProcess) -> None:
    pip.run("config", "--user", "set", "global.timeout", "60")
    file = pip.folder / "home" / "config" / "pip" / "pip.conf"
    assert str(file) == str(pip_user_file(around(pip)))
    assert file.exists()
    write(pip, "pip", box.url)
    assert pip.run("config", "get", "global.index-url").strip() == box.url
    assert pip.run("config", "get", "global.timeout").strip() == "60"
    pip.run("install", "--target", "installed", "demo")
    assert installed(pip) == ["demo-2.0.dist-info", "helper-1.5.dist-info"]


@pytest.mark.parametrize("named", ["named.conf", "gone.conf", ""])
def test_pip_reads_the_files_that_are_known(pip: Client, named: str) -> None:
    pip.write("named.conf", "[global]\ntimeout = 60\n")
    given = {
        "XDG_CONFIG_DIRS": "/a:/b",
        "PIP_CONFIG_FILE": str(pip.project / named) if named else "",
        "VIRTUAL_ENV": str(pip.tool.folder),
    }
    told = pip.run("config", "debug", **given)
    read = {line.split(",")[0].strip() for line in told.splitlines() if ", exists:" in line}
    home = pip.folder / "home"
    environ = {**given, "XDG_CONFIG_HOME": f"{home}/config"}
    known = pip_files(Surroundings("linux", environ, str(home), lambda path: Path(path).exists()))
    assert {str(path) for path in known} == read - {""}


def test_uv_follows_what_was_written(uv: Client, box: CheeseboxProcess) -> None:
    file = uv.folder / "home" / "config" / "uv" / "uv.toml"
    assert str(file) == str(uv_user_file(around(uv)))
    file.parent.mkdir(parents=True)
    # The old way of naming an index is weaker than the new one, and stays.
    before = '# mine\ncompile-bytecode = true\nindex-url = "http://127.0.0.1:9/simple/"\n'
    file.write_text(before)
    write(uv, "uv", box.url)
    assert file.read_text().startswith(before)
    uv.run("pip", "install", "--target", "installed", "demo")
    assert installed(uv) == ["demo-2.0.dist-info", "helper-1.5.dist-info"]
    assert list(uv.project.glob("installed/demo/__pycache__/*.pyc"))


def test_poetry_adds_the_source_by_the_printed_command(tmp_path: Path, address: Address) -> None:
    poetry = Client(prepare(POETRY), tmp_path / "one")
    snippet = clients.poetry(address)
    command = re.search(r"poetry (source add .*)", snippet)
    assert command is not None
    poetry.write("pyproject.toml", f"{PROJECT}\n[tool.poetry]\npackage-mode = false\n")
    poetry.run(*command[1].split())
    by_command = (poetry.project / "pyproject.toml").read_text()
    assert snippet[snippet.index("[[") :].strip() in by_command
    poetry.run("install")
    assert len(list(poetry.project.glob(".venv/lib/*/site-packages/demo-2.0.dist-info"))) == 1


def test_pdm_installs_with_the_printed_source_and_with_the_printed_command(
    tmp_path: Path, address: Address
) -> None:
    snippet = clients.pdm(address)
    command = re.search(r"pdm (config pypi\.url \S+)", snippet)
    assert command is not None
    ways: dict[str, tuple[str, str]] = {"file": (snippet, "--version"), "command": ("", command[1])}
    for name, (source, first) in ways.items():
        pdm = Client(prepare(PDM), tmp_path / name / "one")
        pdm.write("pyproject.toml", f"{PROJECT}\n[tool.pdm]\ndistribution = false\n{source}")
        pdm.run(*first.split())
        pdm.run("venv", "create", "--with", "venv", str(pdm.tool.python.resolve()))
        pdm.run("install")
        assert list(pdm.project.glob(".venv/lib/*/site-packages/demo-2.0.dist-info")), name


def arguments(dockerfile: str) -> dict[str, str]:
    """Give the build arguments that a RUN sees, with references replaced."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"^ARG (\w+)=(.*)$", dockerfile, re.MULTILINE):
        found[name] = re.sub(r"\$\{(\w+)\}", lambda reference: found[reference[1]], value)
    return found


def test_pip_and_uv_follow_the_arguments_of_the_docker_build(
    pip: Client, uv: Client, address: Address
) -> None:
    given = arguments(clients.docker(address))
    pip.run("install", "--target", "by-pip", "demo", **given)
    uv.run("pip", "install", "--target", "by-uv", "demo", **given)
    assert len(installed(uv)) == 4


def test_pip_follows_the_environment_of_the_workflow(pip: Client, box: CheeseboxProcess) -> None:
    # A name that stands for this machine: loopback would get the workflow with a cache of its own.
    workflow = yaml.safe_load(clients.github_actions(Address("http://box.example/pypi")))
    environ = {
        name: value.replace("http://box.example/pypi/simple/", box.url)
        for name, value in workflow["jobs"]["test"]["env"].items()
    }
    pip.run("install", "--dry-run", "--report", "report.json", "demo", **environ)
    report = json.loads((pip.project / "report.json").read_text())
    assert all(entry["download_info"]["url"].startswith(box.mount_url) for entry in report["install"])
