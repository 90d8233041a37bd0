"""``cheesebox verify``: hash all that is stored, and tell what is not what it was."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from cheesebox.cli.looking import LookingCommand, ago, is_for_people, print_json, printable, settings_of
from cheesebox.cli.verification import Holder, Verification, remove
from cheesebox.cli.verify_log import Progress, VerifyLog
from cheesebox.units import human_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cheesebox.cache.verification import Finding
    from cheesebox.ports import Key
    from cheesebox.settings import Settings

_DAMAGED, _INTERRUPTED = 1, 130
_REMOVED_AT_ONCE = 500


class Damage(Struct, frozen=True):
    """A damaged object and what is wrong with it."""

    key: str
    fault: str


class Report(Struct, frozen=True):
    """What was found; ``objects`` and ``bytes`` include what was verified before a ``--resume``."""

    objects: int
    bytes: int
    damaged: list[Damage]
    removed: int


@dataclass(slots=True)
class Damages:
    """Takes findings as they come: prints them or keeps them for JSON, removes them if that is wanted."""

    settings: Settings
    repair: bool
    as_json: bool
    count: int = 0
    removed: int = 0
    kept: list[Damage] = field(default_factory=list)
    _doomed: list[Key] = field(default_factory=list)

    def take(self, finding: Finding) -> None:
        """Take one; raises what removing raises."""
        self.count += 1
        if self.as_json:
            self.kept.append(Damage(finding.key, finding.fault))
        else:
            print(printable(f"{finding.key}: {finding.fault}"))
        if self.repair:
            self._doomed.append(finding.key)
        if len(self._doomed) >= _REMOVED_AT_ONCE:
            self.settle()

    def settle(self) -> None:
        """Remove what was taken and is not removed yet; raises what removing raises."""
        if self._doomed:
            self.removed += asyncio.run(remove(self.settings, self._doomed))
            self._doomed.clear()


def _verify(config: Path | None, cache_dir: str | None, *, repair: bool, resume: bool, as_json: bool) -> int:
    settings = settings_of(config, cache_dir)
    damages = Damages(settings, repair, as_json)
    with ExitStack() as stack:
        holder = stack.enter_context(closing(Holder(settings)))
        log = _log(settings, stack)
        verification = Verification(holder, log, _start(log, resume=resume))
        try:
            _run(verification, damages)
        except KeyboardInterrupt:
            _say_how_to_resume(verification, config, cache_dir, repair=repair)
            return _INTERRUPTED
        if log is not None:
            log.remove()
    _report(verification.progress, damages)
    return _DAMAGED if damages.count and not repair else 0


def _log(settings: Settings, stack: ExitStack) -> VerifyLog | None:
    try:
        return stack.enter_context(closing(VerifyLog(settings.cache_dir)))
    except OSError as error:
        _say(f"this cannot be resumed: {settings.cache_dir}: {error.strerror}")
        return None


def _start(log: VerifyLog | None, *, resume: bool) -> Progress:
    """Find out where to begin, and say so where that was asked for."""
    former = log.progress() if resume and log is not None else None
    if former is not None:
        _say(f"going on with what was begun {ago(time.time() - former.began_at)}: {_done(former)}")
        return former
    if resume:
        _say("nothing was broken off: all is verified")
    now = time.time()
    if log is not None:
        log.begin(now)
    return Progress(now)


def _run(verification: Verification, damages: Damages) -> None:
    total = verification.holder.totals().size
    with (
        _bar(total, verification.progress.bytes) as advance,
        closing(verification.findings(advance)) as findings,
    ):
        for finding in findings:
            damages.take(finding)
    damages.settle()


@contextmanager
def _bar(total: int, done: int) -> Iterator[Callable[[int], object]]:
    """Show a bar of bytes on a terminal; gives what moves it."""
    columns = (
        TextColumn("verifying"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=is_for_people(),  # elsewhere what is found must not be drawn above the bar
        disable=not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task("verifying", total=total, completed=done)
        yield lambda size: bar.advance(task, size)


def _report(progress: Progress, damages: Damages) -> None:
    if damages.as_json:
        print_json(Report(progress.objects, progress.bytes, damages.kept, damages.removed))
        return
    done = ", removed: they are fetched again when asked for" if damages.repair and damages.count else ""
    print(f"{progress.objects} objects verified, {damages.count} damaged{done}")


def _say_how_to_resume(
    verification: Verification, config: Path | None, cache_dir: str | None, *, repair: bool
) -> None:
    command = ["cheesebox", "verify", "--resume"]
    command += ["--repair"] if repair else []
    command += [] if config is None else ["--config", str(config)]
    command += [] if cache_dir is None else ["--cache-dir", cache_dir]
    how = "" if verification.log is None else f"; go on with: {shlex.join(command)}"
    _say(f"stopped after {_done(verification.progress)}{how}")


def _done(progress: Progress) -> str:
    return f"{progress.objects} objects, {human_size(progress.bytes)}"


def _say(text: str) -> None:
    print(f"cheesebox: {text}", file=sys.stderr)


command = LookingCommand(
    "verify",
    _verify,
    takes_server=False,
    params=[
        click.Option(["--repair"], is_flag=True, help="Remove what is damaged; it is fetched again."),
        click.Option(["--resume"], is_flag=True, help="Go on where the last one was stopped."),
    ],
    help="""Hash all that is stored, on all cores, and compare it with the catalogue.

    A server may run meanwhile: it removes what is to be repaired. How far it got is written down every
    second, so that --resume goes on after Ctrl-C, a kill or a crash.

    Exit codes: 0 all is sound, or was repaired; 1 something is damaged; 2 there is no cache, or it cannot be
    read or repaired; 130 stopped by Ctrl-C.

    \b
    Example:
      cheesebox verify
      cheesebox verify --repair --resume
    """,
    short_help="Hash all that is stored and find what is damaged.",
)
