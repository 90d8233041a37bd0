"""Runs an ASGI application on uvicorn until a signal asks to stop.

Rules of this module:
1. The socket is bound by the caller, before the application is started.
2. The first SIGTERM or SIGINT lets running answers finish, for at most ``grace`` seconds; a second
   one cuts them off. Either way the process ends as one that did its work: uvicorn would raise the
   signal again after shutdown, and the exit code would say "killed".
3. Failures of start and stop are raised, not logged.
"""

from __future__ import annotations

import asyncio
import math
import signal
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cheesebox.server.control import ControlSocket
from cheesebox.server.heap import share_one_heap
from cheesebox.server.lifespan import Lifespan

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path
    from types import FrameType

    from cheesebox.server.tls import Certificates

_SWITCH_INTERVAL = 0.0005
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What the server is told beside the application; seconds. ``limit_concurrency`` 0 means no limit."""

    keep_alive: float = 75.0
    grace: float = 10.0
    limit_concurrency: int = 0
    protocol_class: type[asyncio.Protocol] = HttpToolsProtocol
    certificates: Certificates | None = None
    """Serve with TLS, by this pair."""
    control_dir: Path | None = None
    """Where to put a control socket, if anywhere."""


class Server(uvicorn.Server):
    """One server on one socket. ``on_ready`` is called when it answers."""

    def __init__(
        self, app: Any, options: ServerOptions, on_ready: Callable[[], None], *, handle_signals: bool = True
    ) -> None:
        super().__init__(_config(app, options))
        self._control = None if options.control_dir is None else ControlSocket(app, options.control_dir)
        self._on_ready = on_ready
        self._certificates = options.certificates
        self._watch: asyncio.Task[None] | None = None
        self._handle_signals = handle_signals and threading.current_thread() is threading.main_thread()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen."""
        await super().startup(sockets=sockets)
        if self._control is not None:
            await self._control.start()
        if self._certificates is not None:
            self._watch = asyncio.create_task(self._certificates.watch(), name="watch certificates")
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to stop: also when the application has left its lifespan."""
        return await super().on_tick(counter) or self.lifespan.ended

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let running answers finish, then stop the application."""
        if self._watch is not None:
            self._watch.cancel()
        if self._control is not None:
            await self._control.stop()
        try:
            await super().shutdown(sockets=sockets)
        finally:
            self._cut_connections()

    def stop(self) -> None:
        """Ask to stop; the second time, cut off what runs."""
        if self.should_exit:
            self.force_exit = True
            self._cut_connections()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Take a signal."""
        self.stop()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while serving, and give the former handlers back without raising anything."""
        if not self._handle_signals:
            yield
            return
        former = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _cut_connections(self) -> None:
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()


def _config(app: Any, options: ServerOptions) -> uvicorn.Config:
    certificates = options.certificates
    config = uvicorn.Config(
        app,
        http=options.protocol_class,
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        workers=1,
        limit_concurrency=options.limit_concurrency or None,
        ssl_context_factory=(lambda *_: certificates.context) if certificates else None,
        timeout_keep_alive=math.ceil(options.keep_alive),
        timeout_graceful_shutdown=math.ceil(options.grace),
    )
    config.load()
    config.lifespan_class = Lifespan  # it has all that uvicorn.Server uses of its own
    return config


def run(work: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop; gives what the coroutine gives.

    Threads that hash, compress and evict give the interpreter back to the event loop after half a
    millisecond: with the usual five, one of them would be felt in the latency of all answers.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL)
    share_one_heap()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def serve(
    app: Any, sock: socket.socket, options: ServerOptions, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Serve until a signal comes. Raises what the start or the stop of the application raises."""
    server = Server(app, options, on_ready)

    async def work() -> int:
        await server.serve(sockets=[sock])
        return 0

    try:
        run(work())
    finally:
        sock.close()


@asynccontextmanager
async def serving(app: Any, sock: socket.socket, options: ServerOptions) -> AsyncIterator[None]:
    """Serve beside other work of this event loop; signals are left to that work.

    Raises as `serve` does.
    """
    ready = asyncio.Event()
    server = Server(app, options, ready.set, handle_signals=False)
    task = asyncio.create_task(server.serve(sockets=[sock]), name="server")
    task.add_done_callback(lambda _task: ready.set())
    try:
        await ready.wait()
        if not task.done():
            yield
    finally:
        server.stop()
        await task
