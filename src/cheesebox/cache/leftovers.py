"""Parts of downloads that a program left behind when it was killed, and that the next download takes over.

Rules of this module:
1. A part is worth keeping only if it is known what it is a part of: its facts are written down once the
   upstream has told a length and a strong validator.
2. What is kept counts as reserved until somebody takes it over; what nobody wants goes after a while.
3. Its bytes are shown to nobody before the upstream has agreed to go on from there.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cheesebox.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.eviction import Reservation, Room
    from cheesebox.cache.origins import Origin
    from cheesebox.ports import Key, Part

log = logging.getLogger(__name__)

_WORTH_KEEPING = 1024 * 1024
_KEPT_FOR = 600.0
"""Seconds after the start."""


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What a part is a part of: ``total`` bytes at a URL, with this validator and digest to verify by."""

    key: str
    url: str
    validator: str
    total: int
    digest: str


class PartNotes(Protocol):
    """Keeps the facts of parts beside them. All calls block and raise `StoreError`."""

    def found(self) -> Iterable[tuple[Key, int]]:
        """Give the parts that were left behind, with their sizes in bytes."""
        ...

    def note(self, facts: PartFacts) -> None:
        """Write down what the part of a key is."""
        ...

    def take(self, key: Key) -> tuple[Part, PartFacts] | None:
        """Open a part that was left behind."""
        ...

    def forget(self, key: Key) -> None:
        """Remove what was written down; idempotent."""
        ...

    def remove(self, key: Key) -> None:
        """Remove a part and what was written down."""
        ...


class Leftovers:
    """The parts that were left behind."""

    def __init__(self, notes: PartNotes, room: Room, blocking: Blocking) -> None:
        self._notes = notes
        self._room = room
        self._blocking = blocking
        self._held: dict[Key, Reservation] = {}

    async def open(self) -> None:
        """Find them; raises `StoreError`."""
        for key, size in await self._blocking(lambda: list(self._notes.found())):
            reservation = self._room.reserve()
            reservation.size = reservation.written = size
            self._held[key] = reservation

    async def take(self, origin: Origin) -> tuple[Part, PartFacts] | None:
        """Give what is left of a file, if it is a part of this very one; raises `StoreError`."""
        reservation = self._held.pop(origin.key, None)
        if reservation is None:
            return None
        reservation.release()
        taken = await self._blocking(self._notes.take, origin.key)
        if taken is None:
            return None
        part, facts = taken
        if facts.url == origin.url and facts.digest == (origin.digest or "") and 0 < part.size < facts.total:
            return taken
        await self._blocking(part.close)
        return None

    async def note(self, facts: PartFacts) -> None:
        """Write down what a part is, if that is worth it; without it the part is only lost sooner."""
        if facts.total < _WORTH_KEEPING or not facts.validator.startswith('"'):
            return
        try:
            await self._blocking(self._notes.note, facts)
        except StoreError as error:
            log.info("%s: not noted what it is a part of: %s", facts.key, error)

    def forget(self, key: Key) -> None:
        """Remove what was written down of a part that is no more."""
        done = self._blocking(self._notes.forget, key)
        done.add_done_callback(lambda done: done.cancelled() or done.exception())  # it expires in any case

    async def expire(self) -> None:
        """Wait a while, then remove what nobody has taken over."""
        await asyncio.sleep(_KEPT_FOR)
        for key in list(self._held):
            self._held.pop(key).release()
            await self._blocking(self._notes.remove, key)
