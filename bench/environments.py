"""Virtual environments of the servers that are written in Python, all on the same interpreter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from bench.clients import uv_command, uv_environment
from bench.paths import REPOSITORY, VENVS

_DEBIAN = Path("/usr/bin/python3")
_NEW_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))"


@cache
def interpreter() -> str:
    """Return the distribution's Python, else the one that runs this.

    It is an optimised build, as the nginx is that it is compared with, and as those are that come with
    containers or with uv. One that was compiled with its defaults is a quarter slower.
    """
    if _DEBIAN.exists() and subprocess.run([_DEBIAN, "-c", _NEW_ENOUGH], check=False).returncode == 0:
        return str(_DEBIAN)
    return sys.executable


def python_version() -> str:
    """Return the version of the interpreter."""
    code = "import platform; print(platform.python_version())"
    return subprocess.run(
        [interpreter(), "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def environment_of(name: str, *packages: str) -> Path:
    """Return the `bin` folder of a peer's own virtual environment, made from the index if missing."""
    folder = VENVS / name
    ready = folder / "bench-ready"
    if not ready.exists() or ready.read_text() != interpreter():
        shutil.rmtree(folder, ignore_errors=True)
        _run("venv", "-q", "--python", interpreter(), str(folder))
        _run("pip", "install", "-q", "--python", str(folder / "bin" / "python"), *packages)
        ready.write_text(interpreter())
    return folder / "bin"


def environment_of_checkout() -> Path:
    """Return the `bin` folder of an environment with this checkout and the locked versions."""
    folder = VENVS / "cheesebox"
    locked = ("--frozen", "--no-dev", "--python", interpreter())
    _run("sync", "-q", *locked, UV_PROJECT_ENVIRONMENT=str(folder))
    return folder / "bin"


def version_in(folder: Path, package: str) -> str:
    """Return the version of `package` in the environment with that `bin` folder."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run(
        [folder / "python", "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def _run(*args: str, **variables: str) -> None:
    environment = uv_environment() | variables
    subprocess.run([*uv_command(), *args], check=True, cwd=REPOSITORY, env=environment)
