"""The real application under uvicorn in a thread, and clients that may send what they like."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin, urlsplit

import uvicorn
import uvloop

from cheesebox.app import App, build_app
from cheesebox.settings_loading import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cheesebox.adapters.board import Board
    from cheesebox.nodes import Engines
    from cheesebox.web.access_log import Access

NOON = 1_800_000_000.0


class SteppedClock:
    """A clock that stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as a client sees it; header names in lower case, repeated fields joined."""

    status: int
    headers: dict[str, str]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return self.headers[name]


class Running:
    """One application on a loopback port. Use as a context manager."""

    def __init__(self, wrap: Callable[[App], Any], root_path: str, app: App, clock: SteppedClock) -> None:
        self.app = app
        self.clock = clock
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._run, name="cheesebox", daemon=True)
        self._config = uvicorn.Config(
            wrap(app),
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            root_path=root_path,
        )
        self._server = uvicorn.Server(self._config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """The root, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=30)
        self._runner.close()

    def call(self, work: Any) -> Any:
        """Run a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _start(self) -> None:
        self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        await self._server.startup(sockets=[self._socket])
        await self._server.on_tick(0)  # makes the default headers

    async def _stop(self) -> None:
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await self._server.shutdown(sockets=[self._socket])

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    # ── clients ─────────────────────────────────────────────────────────────────────────────────

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send a request; underscores in header names stand for hyphens. Follows nothing.

        Raises `http.client.IncompleteRead` when the body is cut.
        """
        with self.begin(path, method, **headers) as response:
            body = response.read()
        return Answer(response.status, _fields(response), body)

    def head(self, path: str, **headers: str) -> Answer:
        """Send a HEAD request."""
        return self.get(path, "HEAD", **headers)

    @contextmanager
    def begin(self, path: str, method: str = "GET", **headers: str) -> Iterator[http.client.HTTPResponse]:
        """Send a request and give its answer before the body is read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            yield connection.getresponse()
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """Send these very bytes and give all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as sock:
            sock.sendall(data)
            received = b""
            while piece := sock.recv(1 << 16):
                received += piece
            return received

    def raw_get(self, target: bytes, method: bytes = b"GET", *fields: bytes) -> Answer:
        """Send a request line with this very target, and header lines as they are."""
        lines = [method + b" " + target + b" HTTP/1.1", b"Host: a", b"Connection: close", *fields, b"", b""]
        return parse_answer(self.raw(b"\r\n".join(lines)))

    def follow(self, page: str, link: str) -> Answer:
        """Get what a link on a page means, as RFC 3986 resolves it."""
        target = urlsplit(urljoin(f"{self.url}{page}", link))
        assert target.port == self.port
        return self.get(target.path + (f"?{target.query}" if target.query else ""))


def parse_answer(data: bytes) -> Answer:
    """Read one whole answer with a length, or a 204 or 304."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.split(": ", 1) for line in lines)
    return Answer(int(first.split(" ")[1]), {name.lower(): value for name, value in fields}, body)


def _fields(response: http.client.HTTPResponse) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in response.getheaders():
        key = name.lower()
        fields[key] = f"{fields[key]}, {value}" if key in fields else value
    return fields


def run_app(
    cache_dir: Path,
    upstream: str,
    *,
    wrap: Callable[[App], Any] = lambda app: app,
    root_path: str = "",
    accesses: list[Access] | None = None,
    config: Path | None = None,
    board: Board | None = None,
    engines: Engines | None = None,
    **overrides: object,
) -> Running:
    """Build the application with these settings; quick failures unless told otherwise."""
    clock = SteppedClock()
    given = {
        "cache_dir": str(cache_dir),
        "upstream": upstream,
        "min_free": "0",
        "retries": "0",
        "read_timeout": "20s",
        **overrides,
    }
    sink = ([] if accesses is None else accesses).extend
    settings = load_settings(config, {}, given)
    app = build_app(settings, clock=clock, access_sink=sink, board=board, engines=engines)
    return Running(wrap, root_path, app, clock)
