"""Applications that share a real register, and an object storage in memory."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from cheesebox.adapters.valkey_register import open_register
from cheesebox.nodes import Engines
from tests.engines.valkey import valkey_server
from tests.fakes.objects import FakeObjects
from tests.web.running import NOON, Running, run_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Shared:
    """Engines, and the way to nodes that share them."""

    def __init__(self, folder: Path, upstream: str, stack: ExitStack) -> None:
        self.objects: Any = FakeObjects()
        self.valkey = stack.enter_context(valkey_server())
        self._folder = folder
        self._upstream = upstream
        self._stack = stack
        self._started = 0

    def node(self, **options: object) -> Running:
        """Start one more node."""
        self._started += 1
        # The clock of these applications stands still, far from that of the server.
        register = open_register(f"{self.valkey.url}/0", "tests", lambda: NOON, lease_seconds=2.0)
        engines = Engines(register, self.objects)
        folder = self._folder / f"node{self._started}"
        return self._stack.enter_context(run_app(folder, self._upstream, engines=engines, **options))


@contextmanager
def shared_engines(folder: Path, upstream: str) -> Iterator[Shared]:
    """Have engines for nodes."""
    with ExitStack() as stack:
        yield Shared(folder, upstream, stack)
