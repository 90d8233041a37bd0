"""The history of counts in the catalogue's SQLite file, through a connection of its own."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cheesebox.errors import StoreError
from cheesebox.ports import Count, HourCount, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS history (
    hour INTEGER NOT NULL, idx TEXT NOT NULL, kind TEXT NOT NULL, outcome TEXT NOT NULL,
    answers INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (hour, idx, kind, outcome)
) WITHOUT ROWID;
"""
_ADD = """
INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET answers = answers + excluded.answers, bytes = bytes + excluded.bytes
"""


class SqliteHistory:
    """The `History` in a SQLite file that is there already. May be used from any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        with _translated():
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)

    def add(self, counts: Sequence[HourCount]) -> None:
        """Add to what is counted already."""
        rows = [(c.hour, c.tally.index, c.tally.kind, c.tally.outcome, *c.count) for c in counts]
        with self._lock, _translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_ADD, rows)
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def since(self, hour: int) -> list[HourCount]:
        """Give all counts from this hour on."""
        with self._lock, _translated():
            rows = self._db.execute("SELECT * FROM history WHERE hour >= ? ORDER BY hour", (hour,))
            return [
                HourCount(start, Tally(index, kind, outcome), Count(answers, size))
                for start, index, kind, outcome, answers, size in rows
            ]

    def prune(self, before: int) -> None:
        """Remove the hours before."""
        with self._lock, _translated():
            self._db.execute("DELETE FROM history WHERE hour < ?", (before,))

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the history cannot be used: {error}") from error
