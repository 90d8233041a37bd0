"""How a run of ``cheesebox warm`` is shown: a bar on a terminal, lines elsewhere, nothing for programs."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from cheesebox.units import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

    from cheesebox.warming.filling import Failure, Progress


class Silence:
    """Shows nothing."""

    def more(self, count: int) -> None:
        """Learn of further files."""

    def done(self, filename: str, size: int, *, was_cached: bool) -> None:
        """Learn that a file is in the cache."""

    def failed(self, failure: Failure) -> None:
        """Learn of a failure; the report tells it."""


class Lines(Silence):
    """Writes a line for each file that came."""

    def done(self, filename: str, size: int, *, was_cached: bool) -> None:
        """Name the file unless it was there."""
        if not was_cached:
            print(f"{filename}  {human_size(size)}", flush=True)


class Terminal(Silence):
    """Moves a bar."""

    def __init__(self, bar: Bar, task: TaskID) -> None:
        self._bar = bar
        self._task = task
        self._total = 0

    def more(self, count: int) -> None:
        """Make the way longer."""
        self._total += count
        self._bar.update(self._task, total=self._total)

    def done(self, filename: str, size: int, *, was_cached: bool) -> None:  # noqa: ARG002 - as told to all
        """Go a step."""
        self._bar.update(self._task, advance=1, filename=filename)

    def failed(self, failure: Failure) -> None:
        """Go a step in its place."""
        self._bar.update(self._task, advance=1, filename=failure.what)


@contextmanager
def shown(*, quiet: bool) -> Iterator[Progress]:
    """Show a run in the way that suits where its output goes."""
    if quiet:
        yield Silence()
    elif not sys.stderr.isatty():
        yield Lines()
    else:
        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[filename]}"),
        )
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            yield Terminal(bar, bar.add_task("warming", total=None, filename=""))
