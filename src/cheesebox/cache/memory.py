"""A least-recently-used map that is bounded by weight (bytes), not by count."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

K = TypeVar("K")
V = TypeVar("V")


class WeightedLru(Generic[K, V]):
    """Holds at most ``budget`` of weight; the least recently used goes first.

    Every operation costs O(1) for each entry that it displaces, whatever the number held.
    """

    def __init__(self, budget: int, let_go: Callable[[V], None] = lambda _: None) -> None:
        """``let_go`` is told of each value that is not held any more."""
        self.budget = budget
        self._let_go = let_go
        self.held = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[K]:
        """Least recently used first."""
        return iter(self._entries)

    def get(self, key: K) -> V | None:
        """Give the value and note its use."""
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Hold the value; one that is heavier than the whole budget is not held."""
        self.pop(key)
        if weight > self.budget:
            return
        self._entries[key] = (value, weight)
        self.held += weight
        self._shrink()

    def reweigh(self, key: K, value: V, weight: int) -> None:
        """Change the weight of this very value, if it is still held."""
        found = self._entries.get(key)
        if found is not None and found[0] is value:
            self.put(key, value, weight)

    def pop(self, key: K) -> V | None:
        """Let go of one entry."""
        found = self._entries.pop(key, None)
        if found is None:
            return None
        self.held -= found[1]
        self._let_go(found[0])
        return found[0]

    def clear(self) -> None:
        """Let go of everything."""
        for value, _ in self._entries.values():
            self._let_go(value)
        self._entries.clear()
        self.held = 0

    def _shrink(self) -> None:
        while self.held > self.budget:
            _, (value, weight) = self._entries.popitem(last=False)
            self.held -= weight
            self._let_go(value)
