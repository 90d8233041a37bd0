"""``cheesebox ls``: what is cached."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from packaging.version import InvalidVersion, Version
from rich import box
from rich.console import Console
from rich.table import Table

from cheesebox.cli.control import open_control
from cheesebox.cli.looking import (
    LookingCommand,
    ago,
    is_for_people,
    print_json,
    print_row,
    printable,
    settings_of,
)
from cheesebox.cli.requested import Requested, one_requested
from cheesebox.ports import Order
from cheesebox.simple.names import release_key, release_key_of
from cheesebox.units import human_size
from cheesebox.web.models import Project, ProjectRow, Projects, Stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from cheesebox.cli.control import Control

_NOT_CACHED = 1
_PAGE = 1000
_FILES = ("file", "metadata")
_COLUMNS = ("files", "size", "hits", "last use", "stored")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list: names that hold ``search``, in an order, at most ``limit`` of them (0: all)."""

    search: str
    order: Order
    limit: int


def _ls(
    config: Path | None,
    cache_dir: str | None,
    server: str | None,
    project: Requested | None,
    *,
    as_json: bool,
    search: str,
    order: str,
    limit: int,
) -> int:
    wanted = Wanted(search, Order(order), limit)

    async def ask() -> Project | Projects:
        async with open_control(settings_of(config, cache_dir), server) as control:
            if project is None:
                return await _projects(control, wanted)
            return chosen(await control.get(f"projects/{project.project}", Project), project, wanted)

    found = asyncio.run(ask())
    if as_json:
        print_json(found)
    elif isinstance(found, Projects):
        (_show_projects if is_for_people() else _print_projects)(found)
    else:
        (_show_project if is_for_people() else _print_project)(found)
    if project is not None and isinstance(found, Project) and not found.objects:
        print(f"cheesebox: nothing of {project} is cached", file=sys.stderr)
        return _NOT_CACHED
    return 0


async def _projects(control: Control, wanted: Wanted) -> Projects:
    rows: list[ProjectRow] = []
    async for part in _pages(control, wanted):
        rows += part
        if wanted.limit and len(rows) >= wanted.limit:
            return Projects(rows[: wanted.limit], wanted.limit if len(rows) > wanted.limit else None)
    return Projects(rows, None)


async def _pages(control: Control, wanted: Wanted) -> AsyncIterator[list[ProjectRow]]:
    limit = min(_PAGE, wanted.limit + 1) if wanted.limit else _PAGE
    offset: int | None = 0
    while offset is not None:
        asked = {"search": wanted.search, "order": wanted.order, "limit": limit, "offset": offset}
        page = await control.get("projects", Projects, asked)
        yield page.projects
        offset = page.next_offset


_KEYS: dict[Order, Callable[[Stored], object]] = {
    Order.SIZE: lambda stored: -stored.size,
    Order.HITS: lambda stored: -stored.hits,
    Order.USED: lambda stored: -stored.last_used,
    Order.STORED: lambda stored: -stored.stored_at,
}


def chosen(found: Project, requested: Requested, wanted: Wanted) -> Project:
    """Choose of a project's objects those that are wanted, in the order that is wanted."""
    objects = [stored for stored in found.objects if wanted.search.lower() in stored.filename.lower()]
    if requested.version is not None:
        release = release_key(requested.version)
        objects = [s for s in objects if s.kind in _FILES and release_key_of(s.filename) == release]
    objects = newest_first(objects)
    if (key := _KEYS.get(wanted.order)) is not None:
        objects.sort(key=key)  # type: ignore[arg-type] # each order compares numbers
    return Project(found.project, objects[: wanted.limit or None])


def newest_first(objects: Sequence[Stored]) -> list[Stored]:
    """Sort by version, the newest first; what has none (pages) leads, by key."""
    in_order = sorted(objects, key=lambda stored: stored.key)
    return sorted(in_order, key=lambda stored: _version(stored) or _LAST, reverse=True)


_LAST = Version("99999999!0")


def _version(stored: Stored) -> Version | None:
    try:
        return None if stored.version is None else Version(stored.version)
    except InvalidVersion:
        return None


def _print_projects(found: Projects) -> None:
    for row in found.projects:
        print_row(row.project, row.files, row.size, row.hits, _utc(row.last_used), _utc(row.stored_at))


def _print_project(found: Project) -> None:
    for s in found.objects:
        facts = (s.size, s.hits, _utc(s.last_used), _utc(s.stored_at))
        print_row(s.version or "", s.filename, *facts, s.kind, s.index)


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _show_projects(found: Projects) -> None:
    if not found.projects:
        print("nothing is cached under such a name")
        return
    table, now = _table("project", *_COLUMNS), time.time()
    for row in found.projects:
        table.add_row(printable(row.project), f"{row.files:,}", *_facts(row, now))
    files, size = sum(row.files for row in found.projects), sum(row.size for row in found.projects)
    table.caption = f"{len(found.projects):,} projects, {files:,} files, {human_size(size)}"
    if found.next_offset is not None:
        table.caption += "; there are more: --limit 0 shows all"
    Console().print(table)


def _show_project(found: Project) -> None:
    if not found.objects:
        return
    table, now = _table("version", "object", *_COLUMNS[1:], "index", texts=2), time.time()
    for s in found.objects:
        table.add_row(s.version or s.kind, printable(s.filename), *_facts(s, now), printable(s.index))
    size = human_size(sum(s.size for s in found.objects))
    versions = len({s.version for s in found.objects if s.version is not None})
    table.caption = f"{found.project}: {len(found.objects):,} objects, {versions:,} versions, {size}"
    Console().print(table)


def _table(*columns: str, texts: int = 1) -> Table:
    table = Table(box=box.SIMPLE, caption_justify="left")
    for position, column in enumerate(columns):
        is_text = position < texts or column == "index"
        table.add_column(column, justify="left" if is_text else "right", overflow="fold")
    return table


def _facts(found: ProjectRow | Stored, now: float) -> tuple[str, str, str, str]:
    used, stored = ago(now - found.last_used), ago(now - found.stored_at)
    return human_size(found.size), f"{found.hits:,}", used, stored


command = LookingCommand(
    "ls",
    _ls,
    params=[
        click.Argument(["project"], callback=one_requested, required=False, metavar="[PROJECT[==VERSION]]"),
        click.Option(
            ["--order"],
            type=click.Choice([order.value for order in Order]),
            default=Order.NAME.value,
            show_default=True,
            help="By name (files: newest version first), or the largest, most used … first.",
        ),
        click.Option(["--search"], metavar="TEXT", default="", help="Only names that hold this."),
        click.Option(
            ["--limit"],
            type=click.IntRange(min=0),
            metavar="NUMBER",
            default=0,
            help="At most so many; 0 (the default) is no limit.",
        ),
    ],
    help="""List the cached projects, or what is cached of PROJECT: files and pages with size, age and use.

    Written to a terminal these are tables. Elsewhere it is lines of cells with tabs between them, sizes in
    bytes, times in UTC: project, files, size, hits, last use, stored; of one project: version, file name,
    size, hits, last use, stored, kind, index.

    Exit codes: 0 listed, 1 nothing of PROJECT is cached, 2 there is no cache or no way to it.

    \b
    Example:
      cheesebox ls --order size --limit 20
      cheesebox ls requests
      cheesebox ls --json | jq '.projects[].project'
    """,
    short_help="List what is cached.",
)
