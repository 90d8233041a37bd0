"""Reads the stream of changes, and knows when some were missed.

Rules of this module:
1. Changes are numbered without gaps within an epoch. A gap, an epoch that is another one, or a number
   that went back (a replica that lagged took over) mean that changes were missed.
2. A position moves when its change was given: what is broken off goes on where it was.
3. A stream that is gone tells nothing, so the head is looked at whenever nothing comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cheesebox.engines import Change, Missed, Published, Removed, Selected
from cheesebox.errors import EngineError
from cheesebox.ports import Key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from cheesebox.adapters.valkey.calls import Calls

_WAIT = 1000  # ms; less than the time in which any answer has to come
_AT_ONCE = 500


class Position(NamedTuple):
    """A change: its number in an epoch, from 1 on. Epoch 0 is before the first."""

    epoch: int
    number: int

    def is_followed_by(self, other: Position) -> bool:
        """Tell whether nothing was between."""
        if self.epoch == other.epoch:
            return other.number == self.number + 1
        return self.epoch == 0 and other.number == 1


class ChangeReader:
    """Where a node is in the stream of changes."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._at: Position | None = None

    async def read(self) -> AsyncIterator[Change]:
        """Give changes from now on, or from where it was; raises `EngineError`."""
        if self._at is None:
            self._at = await self._head()
        while True:
            entries = await self._entries(self._at)
            if not entries and await self._began_anew():
                yield Missed()
            for position, fields in entries:
                missed = not self._at.is_followed_by(position)
                self._at = position
                if missed:
                    yield Missed()
                yield _change(fields)

    async def _head(self) -> Position:
        name = f"{self._calls.prefix}head"
        epoch, number = await self._calls.command("changes", "HMGET", name, "epoch", "number")
        return Position(int(epoch or 0), int(number or 0))

    async def _began_anew(self) -> bool:
        head = await self._head()
        if self._at is None or (head.epoch == self._at.epoch and head.number >= self._at.number):
            return False
        if self._at.epoch == 0:  # the first change came between the two looks
            return False
        self._at = head
        return True

    async def _entries(self, after: Position) -> list[tuple[Position, dict[bytes, bytes]]]:
        """Wait for entries that follow; none when nothing came for a while."""
        stream, since = f"{self._calls.prefix}changes", f"{after.epoch}-{after.number}"
        args = ("XREAD", "COUNT", _AT_ONCE, "BLOCK", _WAIT, "STREAMS", stream, since)
        answer = await self._calls.listen(*args)
        return [(_position(name), fields) for _, found in answer or () for name, fields in found]


def _position(name: bytes) -> Position:
    epoch, _, number = name.decode().partition("-")
    return Position(int(epoch), int(number))


def encoded(keys: Collection[Key]) -> bytes:
    """Give what the stream says of removed keys."""
    return msgspec.json.encode(list(keys))


def _change(fields: dict[bytes, bytes]) -> Change:
    match fields:
        case {b"published": key}:
            return Published(Key(key.decode()))
        case {b"removed": keys}:
            return Removed(tuple(map(Key, msgspec.json.decode(keys, type=list[str]))))
        case {b"selected": selection}:
            return Selected(selection.decode())
        case _:  # of a later version
            raise EngineError(f"the register tells of an unknown change: {fields}")
