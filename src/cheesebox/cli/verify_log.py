"""What a verification has done so far, in a file of the cache directory: so that it can go on from there.

JSON lines, only ever added to: how far it got in the order of the keys, and what it found. What a kill
leaves is a file whose last line may be torn. What was stored behind the point that was reached was
verified when it came, so the point tells all.
"""

from __future__ import annotations

import fcntl
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO

import msgspec
from msgspec import Struct

from cheesebox.errors import CheeseboxError
from cheesebox.ports import Key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = ".verify.jsonl"


class Begun(Struct, frozen=True, tag="begun"):
    """When it began, in seconds since the epoch."""

    at: float


class Reached(Struct, frozen=True, tag="reached"):
    """All up to the key ``after`` is verified: so many objects, so many bytes."""

    after: str
    objects: int
    bytes: int


class Found(Struct, frozen=True, tag="found"):
    """A damaged object."""

    key: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is; ``suspects`` were found damaged up to there, each once."""

    began_at: float
    after: Key | None = None
    objects: int = 0
    bytes: int = 0
    suspects: dict[Key, None] = field(default_factory=dict)


class Busy(CheeseboxError):
    """Another verification of this cache is under way."""


class VerifyLog:
    """The file, held by one verification at a time. Calls raise `OSError`."""

    def __init__(self, cache_dir: Path) -> None:
        """Open or make the file; raises `Busy` when another has it."""
        self._path = cache_dir / NAME
        self._file = self._path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise Busy(f"cache_dir {cache_dir}: it is being verified already") from error

    def progress(self) -> Progress | None:
        """Read how far it got; None when there is nothing to go on from."""
        self._file.seek(0)
        progress: Progress | None = None
        for line in _lines(self._file):
            if isinstance(line, Begun):
                progress = Progress(line.at)
            elif progress is not None:
                progress = _moved(progress, line)
        return progress

    def begin(self, now: float) -> None:
        """Forget all before."""
        self._file.truncate(0)
        self.add(Begun(now))

    def add(self, line: Begun | Reached | Found) -> None:
        """Add a line. It begins with a line break: what lies before may be torn."""
        self._file.write(b"\n" + msgspec.json.encode(line) + b"\n")
        self._file.flush()

    def remove(self) -> None:
        """Remove the file: all is done."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let another verification have it."""
        self._file.close()


def _lines(file: BinaryIO) -> Iterator[Begun | Reached | Found]:
    decoder = msgspec.json.Decoder(Begun | Reached | Found)
    for line in file:
        try:
            yield decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def _moved(progress: Progress, line: Reached | Found) -> Progress:
    if isinstance(line, Reached):
        return replace(progress, after=Key(line.after), objects=line.objects, bytes=line.bytes)
    progress.suspects[Key(line.key)] = None
    return progress
