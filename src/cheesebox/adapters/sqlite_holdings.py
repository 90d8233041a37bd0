"""Looks at the catalogue's SQLite file from all sides, beside those who serve from it.

A connection of its own that only reads: a scan of a million rows holds up nobody (write-ahead log).
Uses that were counted but not written down yet are not seen: seconds at most.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from cheesebox.adapters.sqlite_catalogue import COLUMNS, entry_of
from cheesebox.errors import StoreError
from cheesebox.ports import Kind, KindSum, Order, ProjectSum, Totals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cheesebox.ports import Entry, Key

_ORDERS = {
    Order.NAME: "project",
    Order.SIZE: "sum(size) DESC, project",
    Order.HITS: "sum(hits) DESC, project",
    Order.USED: "max(last_used) DESC, project",
    Order.STORED: "max(fetched_at) DESC, project",
}
_PROJECTS = """
SELECT project, sum(kind = 'file'), sum(size), sum(hits), max(last_used), max(fetched_at)
FROM entries WHERE state = 0 AND project <> '' AND instr(project, ?) > 0
GROUP BY project ORDER BY {} LIMIT ? OFFSET ?
"""
_SUMS = """
SELECT substr(key, 1, instr(key, '/') - 1) AS idx, kind, count(*), sum(size)
FROM entries WHERE state = 0 GROUP BY idx, kind
"""


class SqliteHoldings:
    """The `Holdings` of a catalogue. May be used from any thread, one at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        with _translated():
            self._db = sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro",
                uri=True,
                check_same_thread=False,
                isolation_level=None,
                timeout=10,
            )

    def projects(self, search: str, order: Order, limit: int, offset: int = 0) -> list[ProjectSum]:
        """Give the projects whose name holds ``search``."""
        rows = self._rows(_PROJECTS.format(_ORDERS[order]), (search, limit, offset))
        return [ProjectSum(*row) for row in rows]

    def objects(self, project: str) -> list[Entry]:
        """Give all that is stored of a project."""
        return self._entries("project = ? ORDER BY key", (project,))

    def newest(self, limit: int) -> list[Entry]:
        """Give the distribution files that came last."""
        return self._entries("kind = 'file' ORDER BY fetched_at DESC LIMIT ?", (limit,))

    def largest(self, limit: int) -> list[Entry]:
        """Give the largest distribution files."""
        return self._entries("kind = 'file' ORDER BY size DESC LIMIT ?", (limit,))

    def sums(self) -> list[KindSum]:
        """Sum up each index and kind."""
        return [KindSum(index, Kind(kind), n, size) for index, kind, n, size in self._rows(_SUMS, ())]

    def entry(self, key: Key) -> Entry | None:
        """Look one object up."""
        return next(iter(self._entries("key = ?", (key,))), None)

    def entries(self, after: Key | None = None, limit: int = 1000) -> list[Entry]:
        """Give the next objects in the order of their keys."""
        return self._entries("key > ? ORDER BY key LIMIT ?", (after or "", limit))

    def totals(self) -> Totals:
        """Give the sums over all that is stored."""
        return Totals(*self._rows("SELECT size, entries FROM totals", ())[0])

    def _entries(self, where: str, values: tuple[object, ...]) -> list[Entry]:
        sql = f"SELECT {COLUMNS} FROM entries WHERE state = 0 AND {where}"  # noqa: S608 - constants
        return [entry_of(row) for row in self._rows(sql, values)]

    def _rows(self, sql: str, values: tuple[object, ...]) -> list[tuple]:  # type: ignore[type-arg]
        with self._lock, _translated():
            return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the catalogue cannot be looked through: {error}") from error
