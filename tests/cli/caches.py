"""Caches that the command line looks at, with a server and without."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.cheesebox_process import CheeseboxProcess


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended."""

    code: int
    out: str
    err: str


def cheesebox(*args: str, **env: str) -> Outcome:
    """Run the program as people do, but with no terminal; ``env`` is added to the environment."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CHEESEBOX_")}
    command = [sys.executable, "-m", "cheesebox", *args]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environ | env,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def fetch(url: str) -> tuple[str, bytes]:
    """Give the cache status and the body of an answer."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.headers["x-cache2"]), bytes(answer.read())


def root_of(box: CheeseboxProcess) -> str:
    """Give the root of a server's site."""
    return box.mount_url.rpartition("/")[0]


def at(cache: Path) -> tuple[str, str]:
    """Give the option that names a cache directory."""
    return "--cache-dir", str(cache)
