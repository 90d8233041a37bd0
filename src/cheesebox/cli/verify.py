"""``cheesebox verify``: hash all that is stored, and tell what is not what it was."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import track

from cheesebox.adapters.disk_store import DiskStore
from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.cache.verification import Finding, look
from cheesebox.cli.options import SettingsCommand, settings_from
from cheesebox.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cheesebox.ports import Entry

_DAMAGED = 1


def _verify(config: Path | None, *, repair: bool, **options: Any) -> int:
    settings = settings_from(config, options)
    path = settings.cache_dir / "catalogue.sqlite"
    if not path.exists():
        raise SettingsError(f"cache_dir {settings.cache_dir}: no catalogue there; nothing was cached yet")
    store, catalogue = DiskStore(settings.cache_dir), SqliteCatalogue(path)
    try:
        entries = list(_all(catalogue))
        damaged = list(_damaged(store, entries))
        if repair and damaged:
            keys = [finding.key for finding in damaged]
            catalogue.doom(keys)
            for key in keys:
                store.remove(key)
            catalogue.forget(keys)
    finally:
        catalogue.close()
    for finding in damaged:
        print(f"{finding.key}: {finding.fault}")
    done = ", removed: they are fetched again when asked for" if repair and damaged else ""
    print(f"{len(entries)} objects verified, {len(damaged)} damaged{done}")
    return _DAMAGED if damaged and not repair else 0


def _all(catalogue: SqliteCatalogue) -> Iterator[Entry]:
    page: Sequence[Entry] = catalogue.entries()
    while page:
        yield from page
        page = catalogue.entries(after=page[-1].key)


def _damaged(store: DiskStore, entries: Sequence[Entry]) -> Iterator[Finding]:
    console = Console(stderr=True)
    with ThreadPoolExecutor() as threads:
        findings = threads.map(lambda entry: look(store, entry), entries)
        shown = track(findings, "verifying", len(entries), console=console, disable=not sys.stderr.isatty())
        yield from (finding for finding in shown if finding is not None)


command = SettingsCommand(
    "verify",
    _verify,
    params=[click.Option(["--repair"], is_flag=True, help="Remove what is damaged.")],
    help="""Hash all that is stored and compare it with the catalogue.

    Exits with 1 when something is damaged and was not removed. A server may run meanwhile.

    \b
    Example:
      cheesebox verify --repair
    """,
    short_help="Hash all that is stored and find what is damaged.",
)
