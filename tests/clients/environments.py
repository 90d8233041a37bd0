"""The clients under test, each of an exact version in an environment of its own under ``.cache/clients``.

``python -m tests.clients.environments`` prepares all of them; the tests prepare what they miss. They
come through pip as the machine has it configured, and are kept between runs.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(__file__).resolve().parents[2] / ".cache" / "clients"
_PREPARE_TIMEOUT = 600


@dataclass(frozen=True, slots=True)
class Tool:
    """One client of one version; ``extra`` is what it is installed with."""

    name: str
    version: str
    extra: str = ""

    @property
    def folder(self) -> Path:
        """Where its environment is; another Python gets another one."""
        python = f"py{sys.version_info.major}{sys.version_info.minor}"
        return HOME / f"{self.name}-{self.version}-{python}"

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return self.folder / "bin" / "python"

    @property
    def argv(self) -> tuple[str, ...]:
        """The start of its command line."""
        return (str(self.python), "-m", self.name)

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.name}{self.extra}=={self.version}"

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"


PIPS = (
    Tool("pip", "22.1.2"),  # the last series that reads HTML alone
    Tool("pip", "23.1.2"),  # the last series that trips over `dist-info-metadata` in JSON (PEP 714)
    Tool("pip", "25.1.1"),  # the first series that resumes a cut download
    Tool("pip", "26.3"),
)
UV = Tool("uv", "0.13.9")
POETRY = Tool("poetry", "2.5.1")
PDM = Tool("pdm", "2.29.3", "[locked]")  # its own pins: hishel 2 satisfies its bounds and breaks it
ALL = (*PIPS, UV, POETRY, PDM)


def prepare(tool: Tool) -> Tool:
    """Make the tool's environment unless it is there. Raises subprocess.CalledProcessError."""
    ready = tool.folder / "ready"
    with _locked(tool):
        if not ready.exists():
            shutil.rmtree(tool.folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(tool.folder))
            _run(str(tool.python), "-m", "pip", "install", "--quiet", tool.requirement)
            ready.touch()
    return tool


@contextmanager
def _locked(tool: Tool) -> Iterator[None]:
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / f"{tool}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=_PREPARE_TIMEOUT)


if __name__ == "__main__":
    for each in ALL:
        sys.stdout.write(f"{prepare(each)} is ready in {each.folder}\n")
