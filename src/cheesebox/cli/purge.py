"""``cheesebox purge``: remove what is cached, so that the next request asks the upstream."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cheesebox.cli.control import open_control
from cheesebox.cli.looking import LookingCommand, is_for_people, print_json, settings_of
from cheesebox.cli.requested import Requested, all_requested
from cheesebox.units import human_size, parse_duration
from cheesebox.web.models import Purged, PurgeRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cheesebox.settings import Settings

_NOT_CACHED = 1


@dataclass(frozen=True, slots=True)
class Meant:
    """What is to go: all conditions that are given hold together. ``older_than`` in seconds."""

    projects: tuple[Requested, ...] = ()
    older_than: float | None = None
    index: str | None = None
    everything: bool = False

    def requests(self) -> Iterator[PurgeRequest]:
        """Give the requests of the API that it takes."""
        if self.everything and self.index is None:
            yield PurgeRequest(all=True)
        elif not self.projects:
            yield PurgeRequest(index=self.index, older_than=self.older_than)
        for requested in self.projects:
            yield PurgeRequest(requested.project, requested.version, self.index, self.older_than)


def _purge(
    config: Path | None,
    cache_dir: str | None,
    server: str | None,
    projects: tuple[Requested, ...],
    *,
    older_than: float | None,
    index: str | None,
    everything: bool,
    is_sure: bool,
    as_json: bool,
) -> int:
    meant = Meant(projects, older_than, index, everything)
    _check(meant)
    settings = settings_of(config, cache_dir)
    if everything and not is_sure:
        _confirm(server or str(settings.cache_dir))
    removed = asyncio.run(_remove(settings, server, meant))
    total = Purged(sum(r.objects for r in removed), sum(r.bytes for r in removed))
    if as_json:
        print_json(total)
    else:
        what = "object" if total.objects == 1 else "objects"
        print(f"{total.objects} {what} removed, {human_size(total.bytes)}")
    return _tell_missing(meant, removed)


def _check(meant: Meant) -> None:
    if meant.everything and (meant.projects or meant.older_than is not None):
        raise click.UsageError("--all goes with neither PROJECT nor --older-than")
    if not (meant.everything or meant.projects or meant.older_than is not None):
        raise click.UsageError("say what to remove: PROJECT, PROJECT==VERSION, --older-than TIME or --all")


def _confirm(where: str) -> None:
    """Ask a person; a script says --yes."""
    if not (sys.stdin.isatty() and is_for_people()):
        raise click.UsageError("--all needs --yes where nobody can be asked")
    click.confirm(f"Remove everything that is cached in {where}?", abort=True)


async def _remove(settings: Settings, server: str | None, meant: Meant) -> list[Purged]:
    async with open_control(settings, server) as control:
        return [await control.change("purge", request, Purged) for request in meant.requests()]


def _tell_missing(meant: Meant, removed: Sequence[Purged]) -> int:
    pairs = zip(meant.projects, removed, strict=False)  # without projects there is another request
    missing = [str(requested) for requested, found in pairs if not found.objects]
    if missing:
        print(f"cheesebox: nothing of {', '.join(missing)} was cached", file=sys.stderr)
    return _NOT_CACHED if missing else 0


def _seconds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


command = LookingCommand(
    "purge",
    _purge,
    params=[
        click.Argument(["projects"], callback=all_requested, nargs=-1, metavar="[PROJECT[==VERSION]]..."),
        click.Option(
            ["--older-than"],
            callback=_seconds,
            metavar="TIME",
            help="Only what was stored longer ago, such as 12h or 30d.",
        ),
        click.Option(["--index"], metavar="NAME", help="Only what is stored for this index."),
        click.Option(["--all", "everything"], is_flag=True, help="Remove everything."),
        click.Option(["--yes", "-y", "is_sure"], is_flag=True, help="Don't ask about --all."),
    ],
    help="""Remove what is cached of PROJECT, of one version of it, what is old, or everything.

    A running server takes part: its next answer comes from the upstream. Of a version the files go and
    their metadata; the project's page stays.

    Exit codes: 0 removed, 1 nothing of some PROJECT was cached, 2 there is no cache, no way to it, or no
    permission.

    \b
    Example:
      cheesebox purge requests numpy==2.1.0
      cheesebox purge --older-than 30d
      cheesebox purge --all --index internal --yes
    """,
    short_help="Remove what is cached, so that it is fetched again.",
)
