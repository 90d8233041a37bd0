"""Puts together what those look at and do who run the cache; part of the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cheesebox.adapters.sqlite_history import SqliteHistory
from cheesebox.adapters.sqlite_holdings import SqliteHoldings
from cheesebox.cache.blocking import Blocking
from cheesebox.cache.history import Recorder
from cheesebox.cache.purge import Purge
from cheesebox.settings import describe, describe_tables
from cheesebox.web.metrics import Metrics
from cheesebox.web.models import SettingRow
from cheesebox.web.operations import Operations, Sight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AsyncExitStack
    from pathlib import Path

    from cheesebox.cache.connectivity import Connectivity
    from cheesebox.cache.ledger import Ledger, Statistics
    from cheesebox.cache.recent import Recent
    from cheesebox.cache.shelf import Shelf
    from cheesebox.cache.upstream_watch import UpstreamWatch
    from cheesebox.indexes import Indexes
    from cheesebox.nodes import Node
    from cheesebox.ports import Key
    from cheesebox.settings import Setting, Settings
    from cheesebox.web.hot import HotTable

_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Observed:
    """What an application has from its construction on."""

    ledger: Ledger
    statistics: Callable[[], Statistics]
    watch: UpstreamWatch
    recent: Recent
    table: HotTable
    connectivity: Connectivity


class Management:
    """History, holdings and operations of an opened cache."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Path,
        observed: Observed,
        shelf: Shelf,
        indexes: Indexes,
        resources: AsyncExitStack,
        node: Node | None,
    ) -> None:
        """Blocks while the catalogue's file is opened once more; ``resources`` closes what is opened."""
        history = SqliteHistory(catalogue)
        resources.callback(history.close)
        holdings = SqliteHoldings(catalogue)
        resources.callback(holdings.close)
        blocking = Blocking(1)
        resources.callback(blocking.close)

        def forget(keys: Sequence[Key]) -> None:
            indexes.forget(keys)
            observed.table.clear()
            for let_go in shelf.room.after_eviction:
                let_go()

        sight = Sight(
            observed.statistics,
            shelf.catalogue.totals,
            shelf.room.statistics,
            shelf.store.free_space,
            observed.table.statistics,
            indexes.downloads,
            observed.connectivity,
            shelf.room.limits,
            observed.watch,
            observed.recent,
            list(in_force(settings)),
            indexes.listed,
            (lambda: None) if node is None else node.state,
        )
        self.purge = Purge(shelf, holdings, forget)
        """What removes on this node alone."""
        everywhere = self.purge if node is None else node.purge(self.purge)
        self.operations = Operations(
            sight, history, Recorder(history, shelf.clock), holdings, everywhere, shelf.clock, blocking
        )
        self.metrics = Metrics(sight, blocking)


def in_force(settings: Settings) -> Iterator[SettingRow]:
    """Give all settings with their values, those of each index under its name; secrets are hidden."""
    tables = {setting.name for setting in describe_tables()}
    yield from _rows(None, settings, [s for s in describe() if s.name not in tables])
    for index in settings.indexes:
        yield from _rows(index.name, index, describe_tables())


def _rows(index: str | None, model: Any, described: Iterable[Setting]) -> Iterator[SettingRow]:
    for setting in described:
        value = getattr(model, setting.name)
        shown = _HIDDEN if setting.is_secret and value is not None else setting.show(value)
        yield SettingRow(index, setting.name, shown, value == setting.default, setting.help)
