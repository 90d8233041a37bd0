"""``cheesebox export``: carries the cache, or a part of it, to a place without a network."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import track

from cheesebox.airgap.exporting import Export
from cheesebox.airgap.holdings import held_pages, wanted_pages
from cheesebox.airgap.opened import carried_index, opened_shelf
from cheesebox.airgap.sinks import open_sink
from cheesebox.cli.lock_options import index_of, lock_options, targets_of, wishes_of
from cheesebox.cli.options import SettingsCommand, settings_from
from cheesebox.indexes import plain_view
from cheesebox.units import human_size

if TYPE_CHECKING:
    from cheesebox.airgap.exporting import ExportReport
    from cheesebox.settings import IndexSettings, Settings
    from cheesebox.warming.filling import Wish

_SOME_FAILED = 1


def _export(
    config: Path | None,
    *,
    target: Path,
    requirements: tuple[str, ...],
    locks: tuple[Path, ...],
    pythons: tuple[str, ...],
    platforms: tuple[str, ...],
    index_name: str | None,
    as_json: bool,
    everything: bool,
    **options: Any,
) -> int:
    settings = settings_from(config, options)
    wishes: list[Wish] | None = None
    if requirements or locks:
        wishes, _ = wishes_of(locks, requirements, targets_of(pythons, platforms))
    work = _write(settings, index_of(settings, index_name), target, wishes, everything=everything)
    report = asyncio.run(work)
    _tell(report, target, as_json=as_json)
    return _SOME_FAILED if report.missing or report.damaged else 0


async def _write(
    settings: Settings, index: IndexSettings, target: Path, wishes: list[Wish] | None, *, everything: bool
) -> ExportReport:
    async with opened_shelf(settings, must_exist=True) as shelf:
        source = carried_index(index, shelf)
        pages = held_pages(source, shelf, plain_view(index, shelf.clock()))
        missing: list[str] = []
        if wishes is not None:
            pages, missing = wanted_pages(pages, wishes, everything=everything)
        console = Console(stderr=True)
        shown = track(list(pages.values()), "exporting", console=console, disable=not sys.stderr.isatty())
        with open_sink(target) as sink:
            export = Export(source, shelf, sink)
            export.write(shown)
    export.report.missing += missing
    return export.report


def _tell(report: ExportReport, target: Path, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    for what in report.missing:
        print(f"{what}: not in the cache; cheesebox warm fetches it", file=sys.stderr)
    for what in report.damaged:
        print(f"{what}: damaged, left out; cheesebox verify --repair removes it", file=sys.stderr)
    print(f"{target}: {report.projects} projects, {report.files} files, {human_size(report.size)}")


command = SettingsCommand(
    "export",
    _export,
    params=[
        click.Argument(["target"], type=click.Path(path_type=Path), metavar="DIR|FILE.tar.zst"),
        click.Argument(["requirements"], nargs=-1, metavar="[PROJECT[==VERSION] | LOCKFILE]..."),
        *lock_options(),
        click.Option(["--json", "as_json"], is_flag=True, help="Write a summary as JSON."),
    ],
    help="""Carry what is cached of an index, or what a lock file needs of it, to a place without a network.

    The export is a static index that any web server can serve to pip and uv, and `cheesebox import` takes
    it into another cache. Nothing is fetched: `cheesebox warm` does that. No server may use the cache
    meanwhile. What a policy withholds is not exported. Exits with 1 when something that is wanted is not
    cached or is damaged; it is listed, and the others are exported.

    \b
    Example:
      cheesebox export wheels.tar.zst -r uv.lock
      cheesebox export /mnt/stick/index
      python -m http.server --directory /mnt/stick/index
    """,
    short_help="Carry the cache, or a part of it, to a place without network.",
)
