"""The page `docs/benchmarks.md` and its plots, written from the raw results and from nothing else.

`python -m bench.report [RESULTS]`
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

from bench.paths import DOCS, RESULTS
from bench.peers import PEERS
from bench.results import Result, read
from bench.svg import Bar, chart
from bench.table import cells, figure, spread

PLOTS = {
    "requests": ("requests/s", "Requests per second", 1.0),
    "bytes": ("bytes/s", "Hot files, MB per second", 1e6),
    "seconds": ("s", "Seconds (less is better)", 1.0),
}

METHOD = """\
Each figure is a ratio taken within one run: the subject is measured, then the peer, then the subject again,
and each pair gives one ratio; the table tells the median of the ratios with the least and the most. The
server is pinned to one core, the load and the upstream to another. All servers have one worker and the same
upstream on loopback. Before anything is timed, the answers are compared with what the upstream holds: names,
digests and all fields of pages, every byte of files. A load that meets an answer other than 2xx or 3xx fails
its row.

- Pages are asked for as uv does (JSON, `gzip, deflate, zstd`). nginx (a) is the rewriting configuration that
  cheesebox supersedes, serving HTML; (b) adds gzip to it; (c) caches, without rewriting, the very bytes that
  cheesebox serves, already compressed, with an open-file cache and a buffered log; (d) serves static files
  with sendfile, so tuned too.
- Hot pages, metadata and the 20 KB file: wrk, one thread, 16 keep-alive connections, no pipelining. Hot files
  of 1 MB and 100 MB: a client with 512 KiB reads on 16 and 4 connections. CPU is user and system time of all
  the server's processes.
- Cold files are new ones each time, compared byte by byte as they come; dirty pages are written back in
  between. nginx does not verify what it fetches; so its time is told once more with the seconds added that
  one core takes for BLAKE2b-256 of the same bytes.
- The line 30 ms away costs one round trip a request and one a connection; TLS and slow start are left out,
  which favours going directly. Real pages and wheels were recorded once and are replayed from loopback.
- p99 is told against the quiet server, and against the same downloads going past it: their clients share
  wrk's core.
"""


def write(source: Path = RESULTS / "latest.json", docs: Path = DOCS) -> None:
    """Write the page and its plots."""
    run, results = read(source)
    plots = docs / "benchmarks"
    plots.mkdir(parents=True, exist_ok=True)
    drawn = {name: svg for name, svg in _plots(results, run["subject"]).items() if svg}
    for name, svg in drawn.items():
        (plots / f"{name}.svg").write_text(svg)
    (docs / "benchmarks.md").write_text(_page(run, results, list(drawn)))


def _page(run: dict[str, Any], results: list[Result], plots: list[str]) -> str:
    held = sum(result.verdict == "pass" for result in results)
    promised = sum(result.row.target is not None for result in results)
    machine = run["machine"]
    hardware = f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']} GB"
    software = f"Linux {machine['kernel']}, Python {machine['python']}"
    lines = [
        "# Benchmarks",
        "",
        "<!-- Written by `python -m bench.report` from bench/results/latest.json: do not edit. -->",
        "",
        f"`make bench` measured this on {run['started'][:10]} in {run['seconds']} s,",
        f"{run['pairs']} pairs a row:",
        f"{hardware}, {software}. {held} of {promised} targets are reached.",
        "",
        "| work | against | ours | theirs | ratio: median [min … max] | target | |",
        "| --- | --- | ---: | ---: | --- | --- | --- |",
        *("| " + " | ".join(cells(result)) + " |" for result in results),
        "",
        *(line for plot in plots for line in (f"![{plot}](benchmarks/{plot}.svg)", "")),
        "## How it is measured",
        "",
        METHOD,
        "## Versions",
        "",
        "| program | version |",
        "| --- | --- |",
        *(f"| {_title(name)} | {version} |" for name, version in run["versions"].items()),
    ]
    return "\n".join(lines) + "\n"


def _plots(results: list[Result], subject: str) -> dict[str, str]:
    measured = [result for result in results if result.measurement is not None]
    drawn = {"ratios": _ratios([result for result in measured if result.row.unit == "×"])}
    for name, (quantity, title, unit) in PLOTS.items():
        chosen = [result for result in measured if result.row.quantity == quantity]
        drawn[name] = _sides(chosen, subject, title, unit)
    return drawn


def _ratios(results: list[Result]) -> str:
    bars = []
    for result in results:
        assert result.measurement is not None
        values = result.measurement.values
        kind = {"pass": "good", "short": "bad"}.get(result.verdict, "theirs")
        label = f"{result.row.work} ÷ {_title(result.row.against)}"
        bars.append(
            Bar(_cut(label), result.median, spread(result), kind, min(values), max(values), result.row.target)
        )
    title = "Ours ÷ theirs; the red mark is the target (green: reached)"
    return chart(title, bars) if bars else ""


def _sides(results: list[Result], subject: str, title: str, unit: float) -> str:
    bars: list[Bar] = []
    seen: set[str] = set()
    for result in results:
        assert result.measurement is not None
        sides = (
            (result.measurement.ours, "ours", subject),
            (result.measurement.theirs, "theirs", result.row.against),
        )
        for values, kind, name in sides:
            label = _cut(f"{result.row.work}: {_title(name)}")
            if values and label not in seen:
                seen.add(label)
                middle = statistics.median(values) / unit
                bars.append(Bar(label, middle, figure(middle), kind, min(values) / unit, max(values) / unit))
    return chart(title, bars) if bars else ""


def _title(name: str) -> str:
    return PEERS[name].title if name in PEERS else name


def _cut(label: str) -> str:
    return label if len(label) <= 64 else label[:63] + "…"


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS / "latest.json")
