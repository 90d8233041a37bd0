"""The machine, and the tools that must be on it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from bench.clients import uv_command
from bench.environments import python_version
from bench.peers import PEERS

TOOLS = {"wrk": "wrk", "nginx": "nginx-extras", "taskset": "util-linux"}


def require_tools() -> None:
    """Install what is missing when root with apt-get, else end with the command to give."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SystemExit(f"missing: {' '.join(missing)}; sudo {' '.join(command)}")
    subprocess.run(["apt-get", "update", "-q"], check=True)
    subprocess.run(command, check=True)


def describe() -> dict[str, str | int]:
    """Return CPU model, cores, memory and kernel."""
    information = Path("/proc/cpuinfo").read_text()
    model = next((line for line in information.splitlines() if line.startswith("model name")), ": unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model.partition(":")[2].strip(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(memory / 1e9),
        "kernel": platform.release(),
        "python": python_version(),
    }


def versions(peers: list[str]) -> dict[str, str]:
    """Return the version of each peer by id, and of the clients."""
    told = {peer: PEERS[peer].version() for peer in peers}
    wrk = subprocess.run(["wrk", "-v"], check=False, capture_output=True, text=True).stdout.split()
    uv = subprocess.run(
        [*uv_command(), "--version"], check=True, capture_output=True, text=True
    ).stdout.split()
    return {**told, "wrk": wrk[1] if len(wrk) > 1 else "?", "uv": uv[1], "uvloop": version("uvloop")}


def pin_load() -> None:
    """Keep this process, and the clients that it starts, off the server's core."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("one core only: server and load share it, ratios say little", file=sys.stderr)
        return
    os.sched_setaffinity(0, {cores[-1]})
