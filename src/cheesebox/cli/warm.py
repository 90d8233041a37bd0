"""``cheesebox warm``: fills the cache ahead."""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from cheesebox.adapters.disk_store import is_in_use
from cheesebox.app import build_app
from cheesebox.cli.lock_options import index_of, lock_options, targets_of, wishes_of
from cheesebox.cli.options import SettingsCommand, settings_from
from cheesebox.cli.running_server import find_server, let_in
from cheesebox.cli.serve import server_options
from cheesebox.cli.warm_progress import shown
from cheesebox.errors import SettingsError
from cheesebox.server import logs
from cheesebox.server.run import run, serving
from cheesebox.server.sockets import listen, root_url
from cheesebox.setting_values import redacted
from cheesebox.units import human_size
from cheesebox.warming.client import cache_client
from cheesebox.warming.filling import Filling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from cheesebox.settings import IndexSettings, Settings
    from cheesebox.warming.filling import Progress, Report, Wish

_QUIET = {"log_level": "error", "access_log": False}
_SOME_FAILED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How the cache is asked: by the URL of a server, or by serving it for as long as it takes."""

    settings: Settings
    index: IndexSettings
    server: str | None
    jobs: int
    everything: bool


def _warm(
    config: Path | None,
    *,
    requirements: tuple[str, ...],
    locks: tuple[Path, ...],
    pythons: tuple[str, ...],
    platforms: tuple[str, ...],
    index_name: str | None,
    as_json: bool,
    everything: bool,
    server: str | None,
    jobs: int,
    **options: Any,
) -> int:
    if not requirements and not locks:
        raise click.UsageError("name a lock file (-r FILE) or a project")
    settings = settings_from(config, options, _QUIET)
    index = index_of(settings, index_name)
    if not index.mount:
        raise SettingsError(f"index {index.name!r} has no mount; warm the one that has it as a source")
    wishes, elsewhere = wishes_of(locks, requirements, targets_of(pythons, platforms))
    way = _Way(settings=settings, index=index, server=server, jobs=jobs, everything=everything)
    with shown(quiet=as_json) as progress:
        report = _fill(way, wishes, progress)
    _tell(report, elsewhere, as_json=as_json)
    return _SOME_FAILED if report.failures else 0


def _fill(way: _Way, wishes: Sequence[Wish], progress: Progress) -> Report:
    reports: list[Report] = []

    async def work() -> int:
        async with _mount_url(way) as url, cache_client(url, way.jobs) as client:
            filling = Filling(client, progress, way.jobs, everything=way.everything)
            reports.append(await filling.fill(wishes))
        return 0

    run(work())
    return reports[0]


@asynccontextmanager
async def _mount_url(way: _Way) -> AsyncIterator[str]:
    """Give the URL of the index, with a slash at its end; raises `SettingsError`."""
    if way.server is not None:
        yield mount_url(way.server, way.index.mount)
    elif not is_in_use(way.settings.cache_dir):
        async with _served(_with_relative_links(way.settings)) as root:
            yield mount_url(root, way.index.mount)
    elif (found := find_server(way.settings)) is not None:
        print(f"cheesebox: a server uses this cache: it is asked, at {redacted(found)}", file=sys.stderr)
        yield mount_url(found, way.index.mount)
    else:
        raise SettingsError(
            f"cache_dir {way.settings.cache_dir}: a server uses this cache, and it does not answer at "
            f"{way.settings.host}:{way.settings.port}: give --server URL"
        )


def mount_url(url: str, mount: str) -> str:
    """Give the mount for the URL of a server, of a mount, or of a Simple API."""
    url = url.rstrip("/").removesuffix("/simple")
    return f"{url}/" if urlsplit(url).path else f"{url}{mount}/"


@asynccontextmanager
async def _served(settings: Settings) -> AsyncIterator[str]:
    sink = logs.configure(settings.log_format, settings.log_level, sys.stderr, os.environ)
    app = build_app(settings, access_sink=sink)
    with listen("127.0.0.1", 0) as sock:
        async with serving(app, sock, server_options(settings, app)):
            yield let_in(root_url(sock), app.run_token)


def _with_relative_links(settings: Settings) -> Settings:
    """Keep the requests here: a public URL leads to the server that is not running."""
    index, *further = (replace(index, public_url=None) for index in settings.indexes)
    return replace(settings, index=index, further=tuple(further))


def _tell(report: Report, elsewhere: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**asdict(report), "not_from_an_index": list(elsewhere)}, indent=2))
        return
    for what in elsewhere:
        print(f"{what}: comes from no index, left out", file=sys.stderr)
    for failure in report.failures:
        print(f"{failure.what}: {failure.reason}", file=sys.stderr)
    print(
        f"{report.projects} projects: {report.fetched} files fetched ({human_size(report.size)}), "
        f"{report.cached} were cached, {len(report.failures)} failed"
    )


command = SettingsCommand(
    "warm",
    _warm,
    params=[
        click.Argument(["requirements"], nargs=-1, metavar="[PROJECT[==VERSION] | LOCKFILE]..."),
        *lock_options(),
        click.Option(["--server"], metavar="URL", help="Fill the cache of a running server. [in process]"),
        click.Option(
            ["--jobs"],
            type=click.IntRange(1, 64),
            default=8,
            help="Requests at a time. [8]",
            metavar="NUMBER",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Write a summary as JSON, and nothing else."),
    ],
    help="""Fill the cache ahead with what lock files and requirements name.

    Pages, files and core metadata are fetched through the cache, so that they are verified and kept as
    ever; what is cached already is skipped. Lock files are complete by themselves. For a project without
    a pin the newest version that fits is taken; what it depends on is not resolved, and extras are left out.

    Exits with 1 when something could not be had; it is listed.

    \b
    Example:
      cheesebox warm -r uv.lock
      cheesebox warm -r requirements.txt --python 3.12 --python 3.13 --platform linux_x86_64
      cheesebox warm six==1.17.0 --server http://127.0.0.1:6283
    """,
    short_help="Fill the cache ahead.",
)
