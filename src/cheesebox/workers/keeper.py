"""The keeper: the one process that has the cache directory, asks upstreams and evicts."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from cheesebox.adapters.board import Board
from cheesebox.adapters.links import Doorbell
from cheesebox.app import build_app
from cheesebox.cache.flights import Tasks
from cheesebox.errors import LinkLost
from cheesebox.server.run import Server, ServerOptions, run
from cheesebox.workers.jobs import Order, Told, obey, tell

if TYPE_CHECKING:
    from cheesebox.adapters.links import Link
    from cheesebox.app import App
    from cheesebox.web.access_log import Sink
    from cheesebox.workers.jobs import Job


class LinkServer:
    """Serves those who ring. Start it on the event loop."""

    def __init__(self, app: App, doorbell: Doorbell) -> None:
        self._app = app
        self._doorbell = doorbell
        self._tasks = Tasks()

    def start(self) -> None:
        """Take links from now on."""
        self._tasks.start(self._take_links(), "take links")

    async def _take_links(self) -> None:
        async for link in self._doorbell.links():
            self._tasks.start(self._serve(link), "serve a worker")

    async def _serve(self, link: Link) -> None:
        try:
            if self._app.desk is not None:
                await self._app.desk.serve(link)
        except LinkLost:
            return
        finally:
            link.close()

    async def stop(self) -> None:
        """Leave all workers."""
        await self._tasks.close()


class _KeeperServer(Server):
    """A server without a port: workers come by the doorbell, the command line by the control socket."""

    def __init__(self, app: App, options: ServerOptions, links: LinkServer) -> None:
        super().__init__(app, options, self._begin, handle_signals=False)
        self._app = app
        self._links = links

    def _begin(self) -> None:
        connectivity = self._app.connectivity
        obey(
            {
                Order.STOP: self.stop,
                Order.OFFLINE: connectivity.go_offline,
                Order.ONLINE: connectivity.go_online,
            }
        )
        self._links.start()
        totals = self._app.totals()
        tell(Told(size=totals.size, entries=totals.entries))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Leave the workers, then stop the application."""
        await self._links.stop()
        await super().shutdown(sockets=sockets)


def keep(job: Job, sink: Sink) -> None:
    """Do the keeper's work until the order to stop. Raises what its start raises."""
    app = build_app(job.settings, access_sink=sink, board=Board(job.board))
    links = LinkServer(app, Doorbell(socket.socket(fileno=job.doorbell)))
    options = ServerOptions(grace=job.settings.shutdown_grace, control_dir=job.settings.cache_dir)
    server = _KeeperServer(app, options, links)

    async def work() -> int:
        await server.serve(sockets=[])
        return 0

    run(work())
