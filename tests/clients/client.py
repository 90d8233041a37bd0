"""Runs a client far from the machine's configuration: own home, own caches, nothing inherited."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.environments import Tool

RUN_TIMEOUT = 90


@dataclass(slots=True)
class Client:
    """A tool and a folder of its own, which holds its home, its caches and the project it works on."""

    tool: Tool
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        """The folder where its commands run."""
        return self.folder / "project"

    def run(self, *args: str, **env: str) -> str:
        """Run a command of the tool and return all it wrote.

        Raises AssertionError with that output when the tool fails, subprocess.TimeoutExpired when it hangs.
        """
        code, output = self.attempt(*args, **env)
        assert code == 0, f"{self.tool} {' '.join(args)}: exit code {code}\n{output}"
        return output

    def attempt(self, *args: str, **env: str) -> tuple[int, str]:
        """Run a command of the tool that may fail; return its exit code and all it wrote."""
        self.project.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            (*self.tool.argv, *args),
            cwd=self.project,
            env=self._environment() | self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_TIMEOUT,
            check=False,
        )
        return done.returncode, done.stdout

    def fresh(self, name: str) -> Client:
        """The same tool as if on another machine: no cache of its own."""
        return Client(self.tool, self.folder.with_name(name), self.env)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        self.project.mkdir(parents=True, exist_ok=True)
        path = self.project / name
        path.write_text(text)
        return path

    def _environment(self) -> dict[str, str]:
        home = str(self.folder / "home")
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": home,
            "XDG_CONFIG_HOME": f"{home}/config",
            "XDG_CONFIG_DIRS": f"{home}/config-dirs",
            "XDG_CACHE_HOME": f"{home}/cache",
            "XDG_DATA_HOME": f"{home}/data",
            "XDG_STATE_HOME": f"{home}/state",
            "NO_COLOR": "1",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "UV_PYTHON": str(self.tool.python),
            "UV_PYTHON_DOWNLOADS": "never",
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
            "POETRY_NO_INTERACTION": "1",
            "PDM_CHECK_UPDATE": "0",
            "PDM_NON_INTERACTIVE": "1",
            "PDM_IGNORE_ACTIVE_VENV": "1",
        }
