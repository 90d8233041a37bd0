"""Every command that a page shows is one that the program has, and most are run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import click
import pytest

from cheesebox.cli.main import group
from tests.clients.environments import PIPS, UV, prepare
from tests.docs.examples import PAGES, ROOT, all_blocks, blocks_of, command_lines, commands_of
from tests.fakes.cheesebox_process import CheeseboxProcess

RUN = ("caching.md", "moving.md", "settings.md", "start.md", "status.md", "troubleshooting.md")
"""Pages whose console blocks are run here, from the first to the last."""

TESTED_BY = {
    "access.md": "tests/clients/test_access.py",
    "air-gap.md": "tests/clients/test_documented_air_gap.py",
    "api.md": "tests/web/test_documented_api.py",
    "warm.md": "tests/warming/test_documented_warming.py",
}
"""Pages whose console blocks have a test of their own."""


# ── what is shown at all ────────────────────────────────────────────────────────────────────────


def test_every_page_with_console_blocks_has_a_test_that_runs_them():
    with_blocks = {page.name for page in PAGES if any(b.language == "console" for b in blocks_of(page))}
    assert with_blocks <= {*RUN, *TESTED_BY}
    for page, test in TESTED_BY.items():
        assert page in with_blocks
        assert page in (ROOT / test).read_text()


def test_every_page_shows_something_that_is_run_or_is_known_to_show_nothing():
    tested = {block.page for language in ("toml", "console") for block in all_blocks(language)}
    compared = {"commands.md", "metrics.md", "mounting.md", "dashboard.md", "recipes.md", "time-travel.md"}
    prose = {"benchmarks.md", "caching.md", "index.md", "scale.md", "unsupported.md"}
    assert {page.name for page in PAGES} - tested - compared == prose


SHOWN = [
    (b, line) for page in [*PAGES, ROOT / "README.md"] for b in blocks_of(page) for line in command_lines(b)
]


@pytest.mark.parametrize(("block", "line"), SHOWN, ids=[f"{block}-{line}" for block, line in SHOWN])
def test_a_command_is_one_that_the_program_understands(block, line):
    words = shlex.split(re.split(r" [>|<&]+( |$)", line)[0], comments=True)
    words = [word for word in words if "=" not in word or not word.isupper()]
    while "=" in words[0]:
        words = words[1:]
    program = group()
    command = program.get_command(click.Context(program), words[1])
    assert command is not None, f"{block}: {line}"
    command.make_parser(click.Context(command)).parse_args(words[2:])


# ── what is run ─────────────────────────────────────────────────────────────────────────────────


class Desk:
    """An empty directory, a user's empty home, and the programs that the pages call."""

    def __init__(self, folder: Path, upstream: str) -> None:
        self.folder = folder / "here"
        self.folder.mkdir()
        self.upstream = upstream
        with socket.create_server(("127.0.0.1", 0)) as sock:
            self.port = str(sock.getsockname()[1])
        home, programs = folder / "home", folder / "programs"
        for path in (home, programs):
            path.mkdir()
        for name, python in (
            ("cheesebox", [sys.executable, "-m", "cheesebox"]),
            ("pip", prepare(PIPS[-1]).argv),
            ("uv", prepare(UV).argv),
        ):
            script = programs / name
            script.write_text(f'#!/bin/sh\nexec {shlex.join(python)} "$@"\n')
            script.chmod(0o755)
        inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environ = {
            **inherited,
            "PATH": f"{programs}:{inherited['PATH']}",
            "HOME": str(home),
            "NO_COLOR": "1",
            "NO_PROXY": "*",
            "PIP_TARGET": str(folder / "installed"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "UV_PYTHON": str(prepare(UV).python),
            "UV_PYTHON_DOWNLOADS": "never",
            "VIRTUAL_ENV": str(folder / "venv"),
            "CHEESEBOX_PORT": self.port,
            "CHEESEBOX_UPSTREAM": upstream,
            "CHEESEBOX_CACHE_DIR": str(home / ".cache" / "cheesebox"),
            "CHEESEBOX_MIN_FREE": "0",
        }
        subprocess.run(
            [*prepare(UV).argv, "venv", "--quiet", str(folder / "venv")],
            env=self.environ,
            check=True,
            timeout=60,
        )

    def here(self, text: str) -> str:
        """Say with the port and the upstream of this test what the page says with its own."""
        return text.replace("127.0.0.1:6283", f"127.0.0.1:{self.port}").replace(
            "https://pypi.org/simple/", self.upstream
        )

    def there(self, text: str) -> str:
        """Say with the words of the page what programs say here."""
        own = text.replace(f"127.0.0.1:{self.port}", "127.0.0.1:6283")
        return own.replace(self.upstream, "https://pypi.org/simple/")

    def run(self, line: str) -> str:
        """Run a command; gives what it wrote."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", self.here(line)],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        # `cheesebox doctor` finds on this machine what it finds.
        assert done.returncode == 0 or line.endswith("cheesebox doctor"), f"{line}\n{done.stdout}"
        return re.sub(r"[ \r]+$", "", done.stdout, flags=re.MULTILINE).strip("\n")

    def serve(self, line: str) -> CheeseboxProcess:
        """Start the server of a page; it has its port and its directory from the environment."""
        cache = Path(self.environ["CHEESEBOX_CACHE_DIR"])
        own = ("--min-free", "0", "--port", self.port)
        return CheeseboxProcess(self.upstream, cache, *own, *shlex.split(line)[2:])


@pytest.fixture
def desk(pypi, tmp_path):
    for name, version in (("six", "1.17.0"), ("idna", "3.10")):
        pypi.add_wheel(name, version)
    return Desk(tmp_path, pypi.simple_url)


def commands_on(name):
    [page] = [page for page in PAGES if page.name == name]
    return [c for block in blocks_of(page) if block.language == "console" for c in commands_of(block)]


@pytest.mark.clients
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name in RUN if commands_on(name)])
def test_the_commands_of_a_page_do_what_it_says(name, desk):
    commands = commands_on(name)
    with ExitStack() as stack:
        served = [command for command in commands if " serve" in command.line]
        if not served:
            server = stack.enter_context(desk.serve("cheesebox serve"))
            desk.run("pip download --quiet --dest files --index-url http://127.0.0.1:6283/pypi/simple/ six")
        for command in commands:
            if command in served:
                server = stack.enter_context(desk.serve(command.line))
                output = next(line for line in server.log_lines() if "serves" in line)
            else:
                output = desk.run(command.line)
            assert command.expected.fullmatch(desk.there(output)), (
                f"{command.line}\n{output}\n{command.output}"
            )


def test_curl_is_there():
    assert shutil.which("curl"), "Debian: apt-get install curl"
