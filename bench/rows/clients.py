"""uv resolving and installing 164 real packages, its cache empty, cache and environment on tmpfs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench import recording
from bench.clients import uv_command, uv_environment
from bench.links import FAR, FAR_PLAIN
from bench.paths import TMPFS
from bench.results import Group, Measurement, Row, in_turn, ratios
from bench.stock import stock_recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.lab import Lab
    from bench.peers.base import Running
    from bench.recording import Recording


@dataclass(frozen=True, slots=True)
class Errand:
    """What uv is to do against an index; the work folder is new each time."""

    index: str
    recorded: Recording
    do: Callable[[Errand, Path], None]

    def run(self) -> float:
        """Return its seconds, process start included."""
        with tempfile.TemporaryDirectory(dir=TMPFS, prefix="cheesebox-bench-") as folder:
            work = Path(folder)
            start = time.perf_counter()
            self.do(self, work)
            return time.perf_counter() - start

    def uv(self, work: Path, *arguments: str | Path) -> None:
        command = [*uv_command(), "pip", *arguments, "-q", "--no-config", "--only-binary", ":all:"]
        command += ["--python", sys.executable, "--default-index", self.index, "--cache-dir", work / "cache"]
        subprocess.run(command, check=True, env=uv_environment(), cwd=work)


def resolve(errand: Errand, work: Path) -> None:
    """Compile the requirements; the outcome must be what the recording holds."""
    errand.uv(
        work, "compile", errand.recorded.requirements, "--no-annotate", "--no-header", "-o", work / "out.txt"
    )
    wanted = sorted(errand.recorded.pinned.read_text().split())
    found = sorted((work / "out.txt").read_text().split())
    if [line.partition("[")[0].partition("==")[0] for line in found] != [
        line.partition("==")[0] for line in wanted
    ]:
        raise RuntimeError(f"uv resolved {len(found)} packages, the recording holds {len(wanted)}")


def install(errand: Errand, work: Path) -> None:
    """Install the pinned packages into an empty folder."""
    errand.uv(work, "install", "--no-deps", "-r", errand.recorded.pinned, "--target", work / "target")
    installed = len(list((work / "target").glob("*.dist-info")))
    if installed != len(errand.recorded.pages):
        raise RuntimeError(f"uv installed {installed} packages of {len(errand.recorded.pages)}")


def _recorded() -> Recording:
    found = recording.load()
    if found is None:
        raise RuntimeError("no recording: python -m bench.recording")
    return found


def _measure_resolve(lab: Lab, *, metadata: bool) -> list[Measurement]:
    link = FAR if metadata else FAR_PLAIN
    recorded = _recorded()
    ours = Errand(lab.subject(link).index, recorded, resolve)
    theirs = Errand(f"{lab.upstream.origin(link)}/simple/", recorded, resolve)
    ours.run()
    theirs.run()
    return [ratios(in_turn(lab.options.pairs, ours.run, theirs.run))]


def _measure_install(lab: Lab) -> list[Measurement]:
    recorded, shelf = _recorded(), lab.peer("nginx-static")
    stock_recording(lab, shelf, recorded)
    subject: Running = lab.subject(FAR)
    ours, theirs = Errand(subject.index, recorded, install), Errand(shelf.index, recorded, install)
    ours.run()
    theirs.run()
    return [ratios(in_turn(lab.options.slow_pairs, ours.run, theirs.run))]


GROUPS = (
    Group(
        (
            Row(
                "uv.resolve.direct",
                "uv resolves 164 packages, 30 ms, PEP 658",
                "direct",
                "<=",
                0.4,
                quantity="s",
            ),
        ),
        partial(_measure_resolve, metadata=True),
    ),
    Group(
        (
            Row(
                "uv.resolve-plain.direct",
                "uv resolves 164 packages, 30 ms, no PEP 658",
                "direct",
                "<=",
                None,
                quantity="s",
            ),
        ),
        partial(_measure_resolve, metadata=False),
    ),
    Group(
        (
            Row(
                "uv.install.nginx-static", "uv installs 164 packages", "nginx-static", "<=", 1.1, quantity="s"
            ),
        ),
        _measure_install,
    ),
)
