"""The catalogue in one SQLite file: write-ahead log, one writer, quick point reads.

Rules of this module:
1. Every public call may come from any thread; writes take turns under one lock.
2. ``get`` has its own connection and never waits for a writer, only for another ``get``: threads that
   share a connection share its prepared statements, and would read each other's rows.
3. Uses are counted in memory and written in batches: `flush`, and before the oldest are looked up.
4. The sums of sizes and entries are kept by triggers, so that nothing ever counts a table.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cheesebox.cache.objects import project_of_key
from cheesebox.errors import StoreError
from cheesebox.ports import Entry, Key, Kind, Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

_SCHEMA_VERSION = 2
_CHECKED_SIZE = 32 * 1024 * 1024
"""A catalogue up to this size (bytes) is read through at every start; a larger one when it is suspect."""
_BROKEN = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_READY, _ANNOUNCED, _DOOMED = 0, 1, 2
COLUMNS = (
    "key, kind, size, digest, origin, location, etag, last_modified, content_type, serial, "
    "fetched_at, validated_at, last_used, hits"
)
_SCHEMA = """
CREATE TABLE entries (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, size INTEGER NOT NULL, digest TEXT NOT NULL,
    origin TEXT NOT NULL, location TEXT NOT NULL, etag TEXT NOT NULL,
    last_modified TEXT NOT NULL, content_type TEXT NOT NULL,
    serial INTEGER, fetched_at REAL NOT NULL, validated_at REAL NOT NULL, last_used REAL NOT NULL,
    hits INTEGER NOT NULL, project TEXT NOT NULL, state INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX entries_by_use ON entries (last_used);
CREATE INDEX entries_by_project ON entries (project);
CREATE INDEX entries_unsettled ON entries (state) WHERE state <> 0;
CREATE TABLE totals (size INTEGER NOT NULL, entries INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TRIGGER entry_added AFTER INSERT ON entries BEGIN
    UPDATE totals SET size = size + new.size, entries = entries + 1;
END;
CREATE TRIGGER entry_removed AFTER DELETE ON entries BEGIN
    UPDATE totals SET size = size - old.size, entries = entries - 1;
END;
CREATE TRIGGER entry_resized AFTER UPDATE OF size ON entries WHEN new.size <> old.size BEGIN
    UPDATE totals SET size = size + new.size - old.size;
END;
"""
_UPSERT = f"""
INSERT INTO entries ({COLUMNS}, project, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET kind = excluded.kind, size = excluded.size, digest = excluded.digest,
    origin = excluded.origin, location = excluded.location, etag = excluded.etag,
    last_modified = excluded.last_modified, content_type = excluded.content_type,
    serial = excluded.serial, fetched_at = excluded.fetched_at,
    validated_at = excluded.validated_at,
    last_used = max(last_used, excluded.last_used), state = excluded.state
"""  # noqa: S608 - the column list is a constant of this module


class _Unusable(Exception):
    """The file is of another schema or damaged."""


class SqliteCatalogue:
    """The `Catalogue` in a SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._suspicion = path.with_name(path.name + ".suspect")
        self._lock = threading.Lock()
        self._reader_lock = threading.Lock()
        self._uses: dict[Key, tuple[float, int]] = {}
        self._uses_lock = threading.Lock()
        self.is_new = False
        self.removals = 0
        self.admissions = 0
        self._writer, self._reader = self._open_or_replace()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate errors, and note damage, so that the next start looks at the whole file."""
        try:
            yield
        except sqlite3.Error as error:
            if _is_damage(error):
                with suppress(OSError):
                    self._suspicion.touch()
            raise StoreError(f"the catalogue cannot be used: {error}") from error

    def _open_or_replace(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        """Open the file; one that is broken or of another schema is removed and made anew.

        Raises `StoreError` when it cannot be opened for another reason: then nothing is removed.
        """
        with self._translated():
            try:
                return self._open()
            except _Unusable as error:
                log.warning("the catalogue is made anew: %s", error)
            for suffix in ("", "-wal", "-shm", ".suspect"):
                with suppress(FileNotFoundError):
                    self._path.with_name(self._path.name + suffix).unlink()
            return self._open()

    def _open(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        with _telling_damage():
            writer = self._connect()
        try:
            with _telling_damage():
                version = writer.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                writer.executescript(
                    f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;"
                )
                self.is_new = True
            else:
                with _telling_damage():
                    _check(writer, version, whole=self._wants_a_whole_check())
                self._suspicion.unlink(missing_ok=True)
            return writer, self._connect()
        except BaseException:
            writer.close()
            raise

    def _wants_a_whole_check(self) -> bool:
        """Tell whether to read the whole file: seconds for a million entries, so not without a reason."""
        return self._suspicion.exists() or self._path.stat().st_size <= _CHECKED_SIZE

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=10)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -8000")
        return connection

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._translated():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            finally:
                # A full disk may have ended the transaction already; nothing may be left open by it.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")

    def get(self, key: Key) -> Entry | None:
        """Look one object up; announced and doomed ones are not there."""
        with self._reader_lock, self._translated():
            row = self._reader.execute(
                f"SELECT {COLUMNS} FROM entries WHERE key = ? AND state = 0",  # noqa: S608 - constant
                (key,),
            ).fetchone()
        return None if row is None else entry_of(row)

    def touch(self, key: Key, now: float, hits: int = 1) -> None:
        """Count a use, in memory."""
        with self._uses_lock:
            _, counted = self._uses.get(key, (0.0, 0))
            self._uses[key] = (now, counted + hits)

    def announce(self, entry: Entry) -> None:
        """Write the entry down before its body gets its name."""
        with self._write() as db:
            db.execute(_UPSERT, (*_row(entry), _ANNOUNCED))

    def confirm(self, key: Key) -> None:
        """Let lookups see an announced entry."""
        with self._write() as db:
            db.execute("UPDATE entries SET state = ? WHERE key = ?", (_READY, key))
        self.admissions += 1

    def revalidated(self, entry: Entry) -> None:
        """Replace the facts of an entry whose body stays."""
        with self._write() as db:
            db.execute(
                "UPDATE entries SET location = ?, etag = ?, serial = ?, fetched_at = ?, validated_at = ? "
                "WHERE key = ? AND state = 0",
                (entry.location, entry.etag, entry.serial, entry.fetched_at, entry.validated_at, entry.key),
            )

    def doom(self, keys: Sequence[Key]) -> None:
        """Hide entries from lookups before their bodies go."""
        with self._write() as db:
            db.executemany("UPDATE entries SET state = ? WHERE key = ?", [(_DOOMED, key) for key in keys])
        self.removals += 1

    def forget(self, keys: Iterable[Key]) -> None:
        """Remove doomed entries."""
        with self._write() as db:
            db.executemany(
                "DELETE FROM entries WHERE key = ? AND state = ?", [(key, _DOOMED) for key in keys]
            )

    def announced(self) -> list[Entry]:
        """Give the entries that a crash left announced."""
        return self._select("state <> 0 AND state = 1", ())  # the words of the partial index

    def doomed(self) -> list[Entry]:
        """Give the entries that a crash left doomed."""
        return self._select("state <> 0 AND state = 2", ())

    def oldest(self, limit: int, used_before: float | None = None) -> list[Entry]:
        """Give the least recently used entries, oldest first."""
        self.flush()
        bound = float("inf") if used_before is None else used_before
        return self._select("last_used < ? AND state = 0 ORDER BY last_used LIMIT ?", (bound, limit))

    def entries(self, after: Key | None = None, limit: int = 1000) -> list[Entry]:
        """Give the next entries in the order of their keys."""
        return self._select("key > ? AND state = 0 ORDER BY key LIMIT ?", (after or "", limit))

    def _select(self, where: str, values: tuple[object, ...]) -> list[Entry]:
        with self._lock, self._translated():
            rows = self._writer.execute(f"SELECT {COLUMNS} FROM entries WHERE {where}", values)  # noqa: S608 - constants
            return [entry_of(row) for row in rows]

    def totals(self) -> Totals:
        """Give the sums that the triggers keep."""
        with self._lock, self._translated():
            return Totals(*self._writer.execute("SELECT size, entries FROM totals").fetchone())

    def fact(self, name: str) -> str | None:
        """Give a remembered fact."""
        with self._lock, self._translated():
            row = self._writer.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, name: str, value: str) -> None:
        """Remember a fact over restarts."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def flush(self) -> None:
        """Write the counted uses."""
        with self._uses_lock:
            uses, self._uses = self._uses, {}
        if uses:
            with self._write() as db:
                db.executemany(
                    "UPDATE entries SET last_used = max(last_used, ?), hits = hits + ? WHERE key = ?",
                    [(used, hits, key) for key, (used, hits) in uses.items()],
                )

    def close(self) -> None:
        """Write what is counted and close the file."""
        try:
            self.flush()
        except StoreError as error:
            log.error("uses not written down: %s", error)
        with self._lock, self._reader_lock:
            self._reader.close()
            self._writer.close()


@contextmanager
def _telling_damage() -> Iterator[None]:
    """Tell a damaged file from one that is locked, unreadable or on a full disk."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            raise _Unusable(f"it is damaged: {error}") from error
        raise


def _is_damage(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN


def _check(connection: sqlite3.Connection, version: int, *, whole: bool) -> None:
    """Make sure that the file is of this schema and, if asked, whole; raises `_Unusable`."""
    if version != _SCHEMA_VERSION:
        raise _Unusable(f"its schema has version {version}, not {_SCHEMA_VERSION}")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if whole else "ok"
    if found != "ok":
        raise _Unusable(f"it is damaged: {found}")
    connection.execute("SELECT size FROM totals").fetchone()
    connection.execute(f"SELECT {COLUMNS}, state FROM entries LIMIT 1").fetchone()  # noqa: S608 - constant


def _row(entry: Entry) -> tuple[object, ...]:
    return (
        entry.key,
        entry.kind.value,
        entry.size,
        entry.digest,
        entry.origin,
        entry.location,
        entry.etag,
        entry.last_modified,
        entry.content_type,
        entry.serial,
        entry.fetched_at,
        entry.validated_at,
        entry.last_used,
        entry.hits,
        project_of_key(entry.key),
    )


def entry_of(row: tuple[object, ...]) -> Entry:
    """Make an entry of a row with the `COLUMNS`."""
    key, kind, *rest = row
    return Entry(Key(str(key)), Kind(kind), *rest)  # type: ignore[arg-type] # the schema gives the types
