"""Requests per second and latency, by wrk: one thread, keep-alive, no pipelining."""

from __future__ import annotations

import re
import resource
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTIONS = 16
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` requests/s, latencies in seconds, `busy` the share of its core that wrk itself used."""

    rate: float
    p50: float
    p99: float
    busy: float


def run(url: str, headers: Mapping[str, str], seconds: float, *, connections: int = CONNECTIONS) -> Load:
    """Load `url` for `seconds` (whole ones); RuntimeError on any answer that is not 2xx or 3xx."""
    whole = max(1, round(seconds))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{whole}s", "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    before = _children_cpu()
    output = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    busy = (_children_cpu() - before) / whole
    for complaint in ("Non-2xx", "Socket errors"):
        if complaint in output:
            raise RuntimeError(f"{url}: {output.partition(complaint)[1:]}")
    return Load(
        rate=float(_find(r"Requests/sec:\s+([\d.]+)", output)[1]),
        p50=_latency(output, 50),
        p99=_latency(output, 99),
        busy=busy,
    )


def _latency(output: str, percentile: int) -> float:
    found = _find(rf"{percentile}%\s+([\d.]+)(us|ms|s|m)\b", output)
    return float(found[1]) * UNITS[found[2]]


def _find(pattern: str, output: str) -> re.Match[str]:
    found = re.search(pattern, output)
    if found is None:
        raise RuntimeError(f"wrk said nothing of {pattern}:\n{output}")
    return found


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
