"""Counters in memory that processes share: who has read one sees when something has changed since.

Rules of this module:
1. One process writes, any number read. A reader compares for equality only.
2. Keys share slots: a change may let go of more than it had to, never of less.
3. The slots outlive the process that writes: whoever starts writing calls `everything_changed`, since
   what happened before it is not known.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import tempfile
import threading
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cheesebox.ports import Key

_SLOTS = 65536
_WIDTH = 8


class Slot(IntEnum):
    """The slots that are no key's."""

    EVERYTHING = 0
    """Ready answers of any kind were let go of."""
    REMOVALS = 1
    """Stored objects were removed: who maps files should let go of them."""
    CREDENTIALS = 2
    """Other people may come in than before."""


def make_board() -> int:
    """Make the memory; gives a file descriptor that other processes may inherit."""
    with tempfile.TemporaryFile() as file:
        file.truncate(_SLOTS * _WIDTH)
        return os.dup(file.fileno())


def slot_of(key: Key) -> int:
    """Give the slot of a key."""
    digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
    return len(Slot) + int.from_bytes(digest, "big") % (_SLOTS - len(Slot))


class Board:
    """The counters. ``counts`` is read by indexing; the methods write, on any thread."""

    def __init__(self, fd: int) -> None:
        """Map the memory of `make_board`; the descriptor stays the caller's."""
        self._map = mmap.mmap(fd, _SLOTS * _WIDTH)
        self._lock = threading.Lock()
        self.counts = memoryview(self._map).cast("Q")

    def changed(self, keys: Iterable[Key]) -> None:
        """Count a change of each key."""
        self._count(map(slot_of, keys))

    def removed(self) -> None:
        """Count a removal of stored objects."""
        self._count((Slot.REMOVALS,))

    def everything_changed(self) -> None:
        """Count a change of everything."""
        self._count((Slot.EVERYTHING,))

    def credentials_changed(self) -> None:
        """Count a change of who may come in."""
        self._count((Slot.CREDENTIALS,))

    def _count(self, slots: Iterable[int]) -> None:
        with self._lock:
            for slot in slots:
                self.counts[slot] += 1

    def seen(self, keys: Iterable[Key]) -> tuple[tuple[int, int], ...]:
        """Give the slots that an answer made of these keys depends on, as they are now."""
        slots = (Slot.EVERYTHING, *map(slot_of, keys))
        return tuple((int(slot), self.counts[slot]) for slot in slots)

    def close(self) -> None:
        """Let go of the memory."""
        self.counts.release()
        self._map.close()
