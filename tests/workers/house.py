"""A keeper and a worker in one process: the worker has the port, the keeper one of its own beside it."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cheesebox.adapters.board import Board, make_board
from cheesebox.adapters.links import Doorbell
from cheesebox.web.http import run_lifespan
from cheesebox.workers.keeper import LinkServer
from cheesebox.workers.worker import WorkerApp
from tests.server.test_hot_lane import Lanes
from tests.web.running import run_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cheesebox.app import App
    from cheesebox.web.access_log import Access


class House:
    """Both applications, started one after the other. It counts what reaches the worker's application."""

    def __init__(self, app: App, board: Board, accesses: list[Access]) -> None:
        inside, outside = socket.socketpair()
        self.app = app
        self.calls: list[str] = []
        self._doorbell = Doorbell(inside)
        self.links = LinkServer(app, self._doorbell)
        self._ringing = Doorbell(outside)
        self.worker = WorkerApp(app.settings, self._ringing, board, app._clock, accesses.extend)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await run_lifespan(self, receive, send)
        else:
            self.calls.append(scope["path"])
            await self.worker(scope, receive, send)

    async def start(self) -> None:
        await self.app.start()
        self.links.start()
        await self.worker.start()

    async def revive(self) -> None:
        """Serve links again, as a keeper does that took the place of one that was lost."""
        self.links = LinkServer(self.app, self._doorbell)
        self.links.start()

    async def stop(self) -> None:
        await self.worker.stop()
        await self.links.stop()
        await self.app.stop()
        self._doorbell.close()
        self._ringing.close()


class WorkerLanes(Lanes):
    """A worker with its hot lane on one port, and the keeper's application on the other."""

    def __init__(self, running: Any, house: House, accesses: list[Access]) -> None:
        self.house = house
        super().__init__(running, house.calls)
        self.accesses = accesses

    @property
    def lane(self) -> Any:
        return self.house.worker.hot_lane

    @property
    def plain_app(self) -> Any:
        return self.house.app


@contextmanager
def worker_lanes(cache_dir: Path, upstream: str, **overrides: object) -> Iterator[WorkerLanes]:
    """Run both; the keeper's own log is left out."""
    memory = make_board()
    board = Board(memory)
    os.close(memory)
    houses: list[House] = []
    accesses: list[Access] = []

    def build(app: App) -> House:
        houses.append(House(app, board, accesses))
        return houses[0]

    running = run_app(cache_dir, upstream, wrap=build, board=board, **overrides)
    lanes = WorkerLanes(running, houses[0], accesses)
    with running:
        lanes.start()
        try:
            yield lanes
        finally:
            lanes.stop()
