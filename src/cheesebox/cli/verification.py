"""Verifies a whole cache on all cores, beside a server or without one, and can go on where it ended."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cheesebox.adapters.disk_store import DiskStore
from cheesebox.adapters.sqlite_holdings import SqliteHoldings
from cheesebox.cache.verification import Finding, Inspector, in_order
from cheesebox.cli.control import open_control, require_catalogue
from cheesebox.cli.verify_log import Found, Progress, Reached
from cheesebox.web.models import Purged, PurgeRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Executor

    from cheesebox.cache.verification import Checked
    from cheesebox.cli.verify_log import VerifyLog
    from cheesebox.ports import Entry, Key, Totals
    from cheesebox.settings import Settings

_AHEAD = 64
"""So many objects are under way for each thread: enough to keep all busy behind one large file."""
_NOTED_EVERY = 1.0
_LONGEST_REQUEST = 32 * 1024


class Tally(NamedTuple):
    """What was verified: objects, and their bytes."""

    objects: int
    bytes: int


class Stopped(Exception):
    """Ends the threads' work in the middle of a file."""


class Holder:
    """Opens what is needed of a cache directory to look at it; takes no lock and changes nothing."""

    def __init__(self, settings: Settings) -> None:
        self.store = DiskStore(settings.cache_dir)
        self.holdings = SqliteHoldings(require_catalogue(settings))

    def totals(self) -> Totals:
        """Give what there is to do."""
        return self.holdings.totals()

    def after(self, progress: Progress) -> Iterator[Entry]:
        """Give what was found damaged up to the point that was reached, then all behind it."""
        for key in progress.suspects:
            if progress.after is not None and key <= progress.after:
                entry = self.holdings.entry(key)
                if entry is not None:
                    yield entry
        after = progress.after
        while page := self.holdings.entries(after):
            yield from page
            after = page[-1].key

    def close(self) -> None:
        """Close the catalogue."""
        self.holdings.close()


@dataclass(slots=True)
class Verification:
    """One run. ``progress`` tells where it begins, and moves on."""

    holder: Holder
    log: VerifyLog | None
    progress: Progress

    def findings(self, advance: Callable[[int], object]) -> Generator[Finding]:
        """Verify all; raises `StoreError`. ``advance`` is told of bytes that were hashed, by any thread."""
        with _threads() as (executor, stopping):

            def advance_or_stop(size: int) -> None:
                if stopping.is_set():
                    raise Stopped
                advance(size)

            inspector = Inspector(self.holder.store, self.holder.holdings.entry, advance_or_stop)
            yield from self._noting(executor, inspector, self.holder.after(self.progress))

    def _noting(
        self, executor: Executor, inspector: Inspector, entries: Iterable[Entry]
    ) -> Iterator[Finding]:
        noted_at = time.monotonic()
        try:
            for checked in in_order(executor, inspector.inspect, entries, _AHEAD * _cores()):
                if checked.finding is not None:
                    self._note(Found(checked.finding.key))
                    yield checked.finding
                self._move(checked)
                if time.monotonic() - noted_at >= _NOTED_EVERY:
                    self._note_progress()
                    noted_at = time.monotonic()
        finally:
            self._note_progress()

    def _move(self, checked: Checked) -> None:
        entry, done = checked.entry, self.progress
        if done.after is None or entry.key > done.after:
            tally = Tally(done.objects + 1, done.bytes + entry.size)
            self.progress = Progress(done.began_at, entry.key, *tally, done.suspects)

    def _note_progress(self) -> None:
        if self.progress.after is not None:
            self._note(Reached(self.progress.after, self.progress.objects, self.progress.bytes))

    def _note(self, line: Reached | Found) -> None:
        if self.log is not None:
            self.log.add(line)


@contextmanager
def _threads() -> Iterator[tuple[Executor, threading.Event]]:
    stopping = threading.Event()
    executor = ThreadPoolExecutor(_cores(), thread_name_prefix="verify")
    try:
        yield executor, stopping
    finally:
        stopping.set()
        executor.shutdown(cancel_futures=True)


def _cores() -> int:
    return os.cpu_count() or 1


async def remove(settings: Settings, keys: Sequence[Key]) -> int:
    """Remove exactly these objects, by the server if one runs; gives the count.

    Raises `ControlError`, `SettingsError` or `StoreError`.
    """
    removed = 0
    async with open_control(settings) as control:
        for batch in batches(keys):
            removed += (await control.change("purge", PurgeRequest(keys=batch), Purged)).objects
    return removed


def batches(keys: Iterable[str]) -> Iterator[list[str]]:
    """Put keys together, so many that they fit into one request."""
    batch: list[str] = []
    size = 0
    for key in keys:
        length = 6 * len(key) + 3  # as JSON at its longest
        if batch and size + length > _LONGEST_REQUEST:
            yield batch
            batch, size = [], 0
        batch.append(key)
        size += length
    if batch:
        yield batch
