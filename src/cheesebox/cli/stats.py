"""``cheesebox stats``: what the cache is worth: hits, bytes saved, sizes against limits, upstreams."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from cheesebox.cli.control import open_control
from cheesebox.cli.hourly import bar, busiest, spans
from cheesebox.cli.looking import (
    LookingCommand,
    ago,
    is_for_people,
    percent,
    print_json,
    print_row,
    printable,
    settings_of,
)
from cheesebox.units import human_size
from cheesebox.web.models import HistoryDocument, Nodes, Overview, Sum

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import RenderableType

    from cheesebox.settings import Settings

_MOST_HOURS = 35 * 24
_LINES, _BAR = 24, 32
_WAYS = ("brought", "led", "followed", "alone")


class Stats(msgspec.Struct, frozen=True):
    """Two documents of the API."""

    overview: Overview
    history: HistoryDocument


def _stats(
    config: Path | None, cache_dir: str | None, server: str | None, *, as_json: bool, hours: int
) -> int:
    stats, is_live = asyncio.run(_ask(settings_of(config, cache_dir), server, hours))
    if as_json:
        print_json(stats)
    elif is_for_people():
        Console().print(_shown(stats, hours, is_live=is_live))
    else:
        _print_plain(stats)
    return 0


async def _ask(settings: Settings, server: str | None, hours: int) -> tuple[Stats, bool]:
    async with open_control(settings, server) as control:
        overview = await control.get("overview", Overview)
        history = await control.get("history", HistoryDocument, {"hours": hours})
        return Stats(overview, history), control.is_live


def _print_plain(stats: Stats) -> None:
    """Write lines of cells with tabs between them; the first says what the line is about."""
    storage = stats.overview.storage
    _print_sum(("total", ""), stats.history.sum)
    for index in stats.history.indexes:
        _print_sum(("index", index.index), index.sum)
    for hour in stats.history.sums:
        _print_sum(("hour", _utc(hour.start)), hour.sum)
    for name in storage.__struct_fields__:
        print_row("storage", name, getattr(storage, name))
    for host in stats.overview.upstreams:
        counted = (host.requests, host.failures, host.failures_in_a_row, host.bytes, f"{host.latency:.3f}")
        print_row("upstream", host.host, *counted, host.last_error)
    if (nodes := stats.overview.nodes) is not None:
        for engine in nodes.engines:
            print_row("engine", engine.name, engine.failures, engine.trouble)
        print_row("nodes", nodes.url or "", *(getattr(nodes.together, way) for way in _WAYS))


def _print_sum(about: tuple[str, str], found: Sum) -> None:
    ratio = "" if found.ratio is None else f"{found.ratio:.4f}"
    print_row(*about, found.hits, found.misses, found.stale, found.sent, found.fetched, found.saved, ratio)


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _shown(stats: Stats, hours: int, *, is_live: bool) -> RenderableType:
    overview, history = stats.overview, stats.history
    parts: list[RenderableType] = [_headline(overview, is_live=is_live), _by_index(history, hours)]
    if history.sum.hits or history.sum.misses:
        parts.append(_by_hour(history, hours))
    parts.append(_storage(overview))
    if overview.upstreams:
        parts.append(_upstreams(overview))
    if overview.nodes is not None:
        parts.append(_nodes(overview.nodes))
    return Group(*parts)


def _headline(overview: Overview, *, is_live: bool) -> Text:
    state = f"up since {_local(overview.started_at, '%Y-%m-%d %H:%M')}" if is_live else "no server is running"
    offline = ", offline" if overview.is_offline else ""
    return Text(f"cheesebox {printable(overview.version)}, {state}{offline}", style="bold")


def _local(seconds: float, form: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime(form)


def _table(title: str, *columns: str) -> Table:
    """Make a table whose first column is text, and all others numbers."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left")
    return table


def _by_index(history: HistoryDocument, hours: int) -> Table:
    title = "last hour" if hours == 1 else f"last {hours} hours"
    table = _table(title, "index", "hits", "misses", "stale", "hit ratio", "sent", "fetched", "saved")
    for index in history.indexes:
        table.add_row(printable(index.index), *_cells(index.sum))
    if len(history.indexes) != 1:
        table.add_row("all", *_cells(history.sum), style="bold")
    return table


def _cells(found: Sum) -> Iterable[str]:
    yield from (f"{found.hits:,}", f"{found.misses:,}", f"{found.stale:,}", percent(found.ratio))
    yield from map(human_size, (found.sent, found.fetched, found.saved))


def _by_hour(history: HistoryDocument, hours: int) -> Table:
    found = spans(history.sums, history.since, hours, _LINES)
    table = Table(title="by hour", title_justify="left", box=box.SIMPLE)
    table.add_column("from")
    table.add_column(Text.assemble(("hits ", "green"), ("misses", "yellow")))
    for column in ("answers", "hit ratio", "saved"):
        table.add_column(column, justify="right")
    form = "%H:%M" if hours <= _LINES else "%a %d %b %H:%M"
    for span in found:
        hits, misses = bar(span, busiest(found), _BAR)
        drawn = Text.assemble(("█" * hits, "green"), ("░" * misses, "yellow"))
        ratio, saved = percent(span.ratio), human_size(span.saved)
        table.add_row(_local(span.start, form), drawn, f"{span.answers:,}", ratio, saved)
    return table


def _storage(overview: Overview) -> Table:
    stored = overview.storage
    table = _table("storage", "", "used", "limit", "share")
    share = stored.size / stored.max_size if stored.max_size else None
    table.add_row("size", human_size(stored.size), human_size(stored.max_size), percent(share))
    most = f"{stored.max_entries:,}" if stored.max_entries else "none"
    share = stored.entries / stored.max_entries if stored.max_entries else None
    table.add_row("objects", f"{stored.entries:,}", most, percent(share))
    table.add_row("free on disk", human_size(stored.free), f"at least {human_size(stored.min_free)}", "")
    evicted = f"{stored.evicted_entries:,}"
    table.add_row("evicted since the start", evicted, human_size(stored.evicted_bytes), "")
    return table


def _upstreams(overview: Overview) -> Table:
    table = _table("upstreams", "host", "requests", "failed", "latency", "received", "state")
    for host in overview.upstreams:
        state = Text("answers", style="green")
        if host.failures_in_a_row:
            since = ago(overview.now - host.failed_at)
            state = Text(
                f"failed {host.failures_in_a_row} in a row, {since}: {printable(host.last_error)}", "red"
            )
        counted = (f"{host.requests:,}", f"{host.failures:,}", f"{host.latency * 1000:.0f} ms")
        table.add_row(printable(host.host), *counted, human_size(host.bytes), state)
    return table


def _nodes(nodes: Nodes) -> Text:
    together = nodes.together
    line = Text.assemble(
        (" several nodes: ", "italic"),
        f"{together.brought:,} from the shared storage, {together.led:,} fetched for all, "
        f"{together.followed:,} read from the node that was fetching, {together.alone:,} fetched alone",
    )
    for engine in nodes.engines:
        if engine.trouble:
            line.append(f"\n {engine.name} fails: {printable(engine.trouble)}", "red")
    return line


command = LookingCommand(
    "stats",
    _stats,
    params=[
        click.Option(
            ["--hours"],
            type=click.IntRange(1, _MOST_HOURS),
            default=24,
            show_default=True,
            help="How many hours to look back, this one included.",
        )
    ],
    help="""Show hits, misses, bytes saved, sizes against limits and how the upstreams fare.

    Written to a terminal these are tables. Elsewhere it is lines of cells with tabs between them, sizes in
    bytes: total, index NAME and hour TIME are followed by hits, misses, stale, bytes sent, fetched and
    saved, and the hit ratio; storage NAME by its value; upstream HOST by requests, failures, failures in a
    row, bytes, seconds until an answer, and the last error. Where several nodes share a store, engine NAME is
    followed by failures and what is wrong now, and nodes URL by bodies from the shared storage, fetched for
    all, read from the node that was fetching, and fetched alone.

    Exit codes: 0 shown, 2 there is no cache or no way to it.

    \b
    Example:
      cheesebox stats --hours 168
      cheesebox stats --json | jq .history.sum.saved
    """,
    short_help="Show hits, bytes saved, sizes and upstreams.",
)
