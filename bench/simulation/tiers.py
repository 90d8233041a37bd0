"""What a node keeps on its disk, and what all nodes share, each within its limit.

Room is reckoned by the product: `cheesebox.cache.eviction` tells how much has to go and who goes first,
`cheesebox.commons.hours` to what hour a use belongs. Sizes are weighed: an item of a project that stands for
ten takes ten times its size.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

from cheesebox.cache.eviction import Limits, Usage, choose, excess
from cheesebox.commons.hours import Hour, hour_of
from cheesebox.ports import Entry, Key, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

V = TypeVar("V")
PLENTY = 2**62
CANDIDATES = 16


@dataclass(slots=True)
class Held(Generic[V]):
    """What is held of an item."""

    entry: Entry
    value: V


class LocalTier(Generic[V]):
    """The disk of one node: least recently used first."""

    def __init__(self, max_size: int) -> None:
        self._limits = Limits(max_size)
        self._held: OrderedDict[str, Held[V]] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: str) -> bool:
        return key in self._held

    def use(self, key: str) -> V | None:
        """Give what is held, and note its use."""
        found = self._held.get(key)
        if found is None:
            return None
        self._held.move_to_end(key)
        return found.value

    def admit(self, key: str, size: int, value: V) -> bool:
        """Hold it from now on, after making room; False when it does not fit at all."""
        self._drop(key)
        while need := excess(self._limits, Usage(self.size, len(self._held), 0, 0, PLENTY), size):
            if need.size > self.size:
                return False
            for entry in choose([held.entry for held in self._oldest()], need):
                self._drop(entry.key)
        self._held[key] = Held(Entry(Key(key), Kind.FILE, size, "", ""), value)
        self.size += size
        return True

    def replace(self, key: str, value: V) -> None:
        """Keep the body, with something else known of it."""
        if (held := self._held.get(key)) is not None:
            held.value = value

    def _oldest(self) -> Iterator[Held[V]]:
        return islice(self._held.values(), CANDIDATES)

    def _drop(self, key: str) -> None:
        if (held := self._held.pop(key, None)) is not None:
            self.size -= held.entry.size


class SharedTier(Generic[V]):
    """The object storage with its register: use is known to the hour, the longest unused hour goes first."""

    def __init__(self, max_size: int) -> None:
        self._limits = Limits(max_size)
        self._held: dict[str, tuple[int, Hour, V, int]] = {}
        self._hours: dict[Hour, OrderedDict[str, None]] = {}
        self.size = 0
        self.bodies = 0

    def __len__(self) -> int:
        return len(self._held)

    def find(self, key: str) -> V | None:
        """Give what is known of it."""
        found = self._held.get(key)
        return None if found is None else found[2]

    def touch(self, key: str, at: float) -> None:
        """Note a use, if that is not known of this hour yet."""
        found, hour = self._held.get(key), hour_of(at)
        if found is not None and found[1] < hour:
            self._leave(key, found[1])
            self._held[key] = (found[0], hour, *found[2:])
            self._hours.setdefault(hour, OrderedDict())[key] = None

    def publish(self, key: str, size: int, at: float, value: V, weight: int = 1) -> None:
        """Make it known, after making room; ``weight``: how many bodies it stands for."""
        self._drop(key)
        while need := excess(self._limits, Usage(self.size, len(self._held), 0, 0, PLENTY), size):
            if need.size > self.size:
                return
            self._drop(next(iter(self._hours[min(self._hours)])))
        hour = hour_of(at)
        self._held[key] = (size, hour, value, weight)
        self._hours.setdefault(hour, OrderedDict())[key] = None
        self.size += size
        self.bodies += weight

    def _leave(self, key: str, hour: Hour) -> None:
        of_hour = self._hours[hour]
        del of_hour[key]
        if not of_hour:
            del self._hours[hour]

    def _drop(self, key: str) -> None:
        found = self._held.pop(key, None)
        if found is not None:
            self._leave(key, found[1])
            self.size -= found[0]
            self.bodies -= found[3]
