"""Tells who keeps answers elsewhere that what stands under a key is not what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cheesebox.ports import Key

    Listener = Callable[[Iterable[Key]], None]


class Changes:
    """Passes changes on. ``listeners`` are called on any thread; usually there are none."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []

    def tell(self, keys: Iterable[Key]) -> None:
        """Say that these keys have changed."""
        for listener in self.listeners:
            listener(keys)
