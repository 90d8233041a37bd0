"""``cheesebox import``: takes an export into the cache."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cheesebox.airgap.importing import Import
from cheesebox.airgap.opened import carried_index, opened_shelf
from cheesebox.airgap.sources import members
from cheesebox.cli.lock_options import index_of, index_option
from cheesebox.cli.options import SettingsCommand, settings_from
from cheesebox.units import human_size

if TYPE_CHECKING:
    from cheesebox.airgap.importing import ImportReport
    from cheesebox.settings import IndexSettings, Settings

_SOME_REFUSED = 1


def _import(
    config: Path | None, *, source: Path, index_name: str | None, as_json: bool, **options: Any
) -> int:
    settings = settings_from(config, options)
    report = asyncio.run(_read(settings, index_of(settings, index_name), source))
    _tell(report, as_json=as_json)
    return _SOME_REFUSED if report.refused else 0


async def _read(settings: Settings, index: IndexSettings, source: Path) -> ImportReport:
    columns = (TextColumn("importing"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    async with opened_shelf(settings) as shelf:
        target = carried_index(index, shelf)
        work = Import(target, shelf, lambda: members(source), settings.max_page_size)
        with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("importing", total=None)
            return await work.run(lambda size: bar.advance(task, size))


def _tell(report: ImportReport, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    for refused in report.refused:
        print(f"{refused.path}: refused: {refused.reason}", file=sys.stderr)
    print(
        f"{report.projects} projects: {report.files} files imported ({human_size(report.size)}), "
        f"{report.cached} were cached, {len(report.refused)} refused"
    )


command = SettingsCommand(
    "import",
    _import,
    params=[
        click.Argument(["source"], type=click.Path(path_type=Path), metavar="DIR|FILE.tar.zst"),
        index_option(),
        click.Option(["--json", "as_json"], is_flag=True, help="Write a summary as JSON."),
    ],
    help="""Take an export into the cache. Every file is verified by the digests that the export's pages tell.

    No server may use the cache meanwhile; `cheesebox serve --offline` serves it afterwards. What is cached
    already is skipped. What is refused is listed, and the exit code is 1. Take exports only from those
    whom you would take packages from.

    \b
    Example:
      cheesebox import wheels.tar.zst
      cheesebox import /mnt/stick/index --index pypi
    """,
    short_help="Take an export into the cache.",
)
