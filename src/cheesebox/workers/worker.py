"""A worker: answers clients, by itself where the keeper has let it, else by asking the keeper.

Rules of this module:
1. A worker has no cache: what it holds in memory the keeper has granted, until the board says otherwise.
2. Counts and uses are handed to the keeper every second, and kept for the next time where that fails.
"""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from cheesebox.adapters.board import Board, Slot
from cheesebox.adapters.disk_store import FileBlob
from cheesebox.adapters.links import Doorbell
from cheesebox.cache.blocking import Blocking
from cheesebox.cache.flights import Tasks
from cheesebox.cache.ledger import Ledger
from cheesebox.cache.recent import Recent
from cheesebox.errors import CheeseboxError, LinkLost
from cheesebox.server.hot_protocol import with_lane
from cheesebox.server.run import Server, ServerOptions, run
from cheesebox.server.tls import certificates_of
from cheesebox.web.access_log import AccessLog
from cheesebox.web.crossing import Counted, Report, Use
from cheesebox.web.forwarding import Forwarding, Ways
from cheesebox.web.granted import GrantedAccess
from cheesebox.web.hot import HotTable
from cheesebox.web.hot_lane import HotLane
from cheesebox.web.http import run_lifespan
from cheesebox.web.site import Site
from cheesebox.workers.jobs import Order, Told, obey, tell

if TYPE_CHECKING:
    from cheesebox.cache.ledger import Statistics
    from cheesebox.ports import Clock, Key
    from cheesebox.settings import Settings
    from cheesebox.web.access_log import Sink
    from cheesebox.web.http import Receive, Scope, Send
    from cheesebox.workers.jobs import Job

log = logging.getLogger(__name__)

_REPORT_EVERY = 1.0
_LOOK_EVERY = 0.1


class WorkerApp:
    """The ASGI application of a worker."""

    def __init__(
        self, settings: Settings, doorbell: Doorbell, board: Board, clock: Clock, access_sink: Sink
    ) -> None:
        self._board = board
        self._ledger = Ledger()
        self._uses: dict[Key, tuple[float, int]] = {}
        self._access_log = AccessLog(access_sink) if settings.access_log else None
        access = None
        if settings.access_file is not None:
            access = GrantedAccess(board.counts, Slot.CREDENTIALS)
        # All workers together hold what one process would.
        budget = settings.hot_size // 2 // settings.workers
        table = HotTable(budget, budget)
        self.hot_lane = HotLane(table, self._ledger, self._access_log, self._touch, clock, access)
        self._blocking = Blocking()
        ways = Ways(doorbell.ring, FileBlob, board.counts, clock, self._blocking, access)
        self._forwarding = Forwarding(ways)
        self._site = Site(self._forwarding, self._ledger, self._access_log, table, Recent())
        self._tasks = Tasks()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""
        if scope["type"] == "lifespan":
            await run_lifespan(self, receive, send)
        elif scope["type"] == "http":
            await self._site(scope, receive, send)
        else:
            raise CheeseboxError(f"nothing here answers {scope['type']}")

    async def start(self) -> None:
        """Begin to report."""
        self._tasks.start(self._report_often(), "report")
        self._tasks.start(self._look_at_removals(), "look at removals")

    async def stop(self) -> None:
        """Report for the last time."""
        await self._tasks.close()
        if self._access_log is not None:
            self._access_log.flush()
        await self.report()
        self._forwarding.lines.close()
        self._blocking.close()

    def _touch(self, key: Key, now: float, hits: int) -> None:
        _, before = self._uses.get(key, (0.0, 0))
        self._uses[key] = (now, before + hits)

    async def _report_often(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_EVERY)
            await self.report()

    async def report(self) -> None:
        """Hand what was counted to the keeper."""
        self.hot_lane.settle()
        counted, uses = self._ledger.take(), self._uses
        if not counted.tallies and not counted.codes:
            return
        self._uses = {}
        try:
            await self._forwarding.report(_report(counted, uses))
        except LinkLost as error:
            log.debug("counts are reported later: %s", error)
            self._ledger.add(counted)
            for key, (at, hits) in uses.items():
                self._touch(key, at, hits)

    async def _look_at_removals(self) -> None:
        """Let go of views of files where some were removed: a removed file takes room while it is mapped."""
        seen = self._board.counts[Slot.REMOVALS]
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            now = self._board.counts[Slot.REMOVALS]
            if now != seen:
                seen = now
                self.hot_lane.table.unmap()


def _report(statistics: Statistics, uses: dict[Key, tuple[float, int]]) -> Report:
    counted = [
        Counted(tally.index, tally.kind, tally.outcome, count.answers, count.bytes)
        for tally, count in statistics.tallies.items()
    ]
    return Report(counted, dict(statistics.codes), [Use(key, at, hits) for key, (at, hits) in uses.items()])


def work(job: Job, sink: Sink) -> None:
    """Do a worker's work until the order to stop. Raises what its start raises."""
    settings, board = job.settings, Board(job.board)
    app = WorkerApp(settings, Doorbell(socket.socket(fileno=job.doorbell)), board, time.time, sink)
    options = ServerOptions(
        keep_alive=settings.keep_alive,
        grace=settings.shutdown_grace,
        limit_concurrency=math.ceil(settings.limit_concurrency / settings.workers),
        protocol_class=with_lane(app.hot_lane),
    )

    def begin() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        obey({Order.STOP: server.stop})
        tell(Told())

    server = Server(
        app, replace(options, certificates=certificates_of(settings)), begin, handle_signals=False
    )

    async def serve() -> int:
        with socket.socket(fileno=job.listener) as listener:
            await server.serve(sockets=[listener])
        return 0

    run(serve())
