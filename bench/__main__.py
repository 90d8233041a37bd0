"""`python -m bench`: measure, print the table, keep the raw results, write the page."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench import machine, recording, report, results
from bench.lab import Lab, Options, Upstream
from bench.paths import CACHE, RESULTS
from bench.peers import PEERS
from bench.results import Group, Result
from bench.rows import GROUPS
from bench.table import table

LATEST = RESULTS / "latest.json"


def main() -> int:
    arguments = _arguments()
    if arguments.list:
        print("\n".join(row.id for group in GROUPS for row in group.rows))
        return 0
    machine.require_tools()
    groups = _chosen(arguments)
    _record_if_needed(groups)
    console = Console(width=None if sys.stdout.isatty() else 150)
    options = _options(arguments)
    versions = machine.versions(_peers_of(groups, options))
    machine.pin_load()
    started = time.time()
    measured = _measure(groups, options, console)
    run = {
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started),
        "machine": machine.describe(),
        "versions": versions,
        "subject": options.subject,
        "pairs": options.pairs,
        "pair_seconds": options.seconds,
    }
    console.print(table(measured))
    results.save(arguments.output, run, measured)
    console.print(f"{run['seconds']} s; raw results in {arguments.output}")
    if arguments.output.resolve() == LATEST and not arguments.only:
        report.write(LATEST)
    return 1 if any(result.verdict == "failed" for result in measured) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="two short pairs a row: under three minutes, rough"
    )
    parser.add_argument("--only", default="", metavar="PATTERN", help="rows whose id matches this expression")
    parser.add_argument("--pairs", type=int, help="pairs of measurements a row")
    parser.add_argument("--seconds", type=float, help="length of each measurement under load")
    parser.add_argument(
        "--subject", default="cheesebox", choices=[*PEERS], help="the server that the rows are about"
    )
    parser.add_argument("--output", type=Path, help="where the raw results go")
    parser.add_argument("--list", action="store_true", help="print the ids of all rows")
    parsed = parser.parse_args()
    if parsed.output is None:
        whole = not (parsed.only or parsed.quick) and parsed.subject == "cheesebox"
        parsed.output = LATEST if whole else RESULTS / "raw" / "last.json"
    return parsed


def _chosen(arguments: argparse.Namespace) -> list[Group]:
    """Return the groups asked for; `--quick` leaves out those without a target."""
    named = [group for group in GROUPS if any(re.search(arguments.only, row.id) for row in group.rows)]
    if not arguments.quick or arguments.only:
        return named
    return [group for group in named if any(row.target is not None for row in group.rows)]


def _options(arguments: argparse.Namespace) -> Options:
    pairs = arguments.pairs or (2 if arguments.quick else 5)
    seconds = arguments.seconds or (1.0 if arguments.quick else 2.0)
    crowding = 0.4 if arguments.quick else 1.0
    return Options(arguments.subject, pairs, max(1, pairs * 3 // 5), seconds, crowding)


def _peers_of(groups: list[Group], options: Options) -> list[str]:
    named = {row.against for group in groups for row in group.rows} & set(PEERS)
    return sorted({options.subject, *named})


def _record_if_needed(groups: list[Group]) -> None:
    wanted = any(row.id.startswith("uv.") for group in groups for row in group.rows)
    if wanted and recording.load() is None:
        print("recording the real packages from the public index, once")
        recording.record()


def _measure(groups: list[Group], options: Options, console: Console) -> list[Result]:
    home = CACHE / f"run-{time.time_ns()}"
    home.mkdir(parents=True)
    lab = Lab(options, home, Upstream())
    measured: list[Result] = []
    try:
        for group in groups:
            console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {', '.join(row.id for row in group.rows)}")
            measured += _measure_group(lab, group, console)
    finally:
        lab.close()
        shutil.rmtree(home, ignore_errors=True)
    return measured


def _measure_group(lab: Lab, group: Group, console: Console) -> list[Result]:
    """Measure a group; a failure is told in its rows and does not end the run."""
    try:
        measurements = group.run(lab)
    except Exception as problem:  # noqa: BLE001 - whatever it is, the other rows still count
        console.print(traceback.format_exc(), style="red", markup=False)
        return [Result(row, failure=f"{type(problem).__name__}: {problem}"[:500]) for row in group.rows]
    return [Result(row, one) for row, one in zip(group.rows, measurements, strict=True)]


if __name__ == "__main__":
    sys.exit(main())
