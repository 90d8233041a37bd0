"""Server processes: started on their core, weighed through /proc, ended by their own id."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

SERVER_CORE = 0
LOAD_CORE = (os.cpu_count() or 1) - 1
TICKS = os.sysconf("SC_CLK_TCK")
START_LIMIT = 30.0


@dataclass(slots=True)
class Process:
    """A server with its children; `ended` keeps the CPU seconds and peak memory past its end."""

    popen: subprocess.Popen[bytes]
    log: IO[bytes] = field(repr=False)

    def tree(self) -> list[int]:
        """Return the ids of the process and of all below it."""
        found, waiting = [], [self.popen.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            waiting += _children(pid)
        return found

    def cpu_seconds(self) -> float:
        """Return user and system time of the tree since its start, seconds."""
        return sum(_cpu_seconds(pid) for pid in self.tree())

    def resident_bytes(self) -> int:
        """Return the memory held by the tree, pages shared among its processes counted once."""
        return sum(_smaps_kib(pid, "Pss") for pid in self.tree()) * 1024

    def peak_bytes(self) -> int:
        """Return the highest resident set of each process of the tree, summed."""
        return sum(_status_kib(pid, "VmHWM") for pid in self.tree()) * 1024

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.log.close()


def spawn(
    command: list[str], home: Path, *, core: int = SERVER_CORE, environment: dict[str, str] | None = None
) -> Process:
    """Start `command` pinned to `core`; what it prints goes to `home`/log."""
    log = (home / "log").open("ab")
    pinned = ["taskset", "-c", str(core), *command]
    popen = subprocess.Popen(
        pinned, cwd=home, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
    )
    return Process(popen, log)


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(process: Process, port: int) -> None:
    """Return when something accepts on `port`; RuntimeError with the log's end if the process dies."""
    give_up = time.monotonic() + START_LIMIT
    while time.monotonic() < give_up:
        if process.popen.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    tail = Path(process.log.name).read_text(errors="replace")[-2000:]
    process.stop()
    raise RuntimeError(f"{process.popen.args}: did not start\n{tail}")


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _status_kib(pid: int, name: str) -> int:
    return _kib(Path(f"/proc/{pid}/status"), name)


def _smaps_kib(pid: int, name: str) -> int:
    return _kib(Path(f"/proc/{pid}/smaps_rollup"), name)


def _kib(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
