"""Several nodes as real processes, with a real register and a real object storage, on loopback."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import redis

from cheesebox.nodes import namespace
from tests.engines.storage import BUCKET, run_seaweedfs
from tests.engines.valkey import valkey_server
from tests.fakes.cheesebox_process import CheeseboxProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engines.storage import Storage
    from tests.engines.valkey import ValkeyServer
    from tests.fakes.pypi import FakePyPI
    from tests.nodes.network import Network


class NodeProcess(CheeseboxProcess):
    """One node; it keeps its port over restarts."""

    def __init__(
        self,
        name: str,
        upstream: str,
        root: Path,
        env: dict[str, str],
        *,
        host: str = "127.0.0.1",
        within: tuple[str, ...] = (),
    ) -> None:
        """``within`` is what a command begins with that is to run in a namespace."""
        self.name = name
        self.node_url = f"http://{host}:{free_port()}"
        super().__init__(
            upstream,
            root / name,
            *("--host", host, "--port", self.node_url.rpartition(":")[2], "--node-url", self.node_url),
            "--no-access-log",
            env=env,
        )
        self.command = (*within, *self.command)

    def pause(self) -> None:
        """Stop it in mid-work, with all connections open."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@dataclass(frozen=True)
class Engines:
    """What nodes share. Tests may stop both; `revive` undoes that."""

    valkey: ValkeyServer
    storage: Storage

    def revive(self) -> None:
        for server in (self.valkey, self.storage):
            server.ensure_running()
            server.resume()


@contextmanager
def running_engines(directory: Path, **options: str) -> Iterator[Engines]:
    """Run a register, with these options of its own, and an object storage."""
    with valkey_server(**options) as valkey, run_seaweedfs(directory / "storage") as storage:
        yield Engines(valkey, storage)


class Nodes:
    """``count`` nodes with a part of the engines to themselves; use as a context manager."""

    def __init__(
        self,
        engines: Engines,
        pypi: FakePyPI,
        root: Path,
        count: int,
        network: Network | None = None,
        **env: str,
    ) -> None:
        self.valkey, self.storage = engines.valkey, engines.storage
        self._network = network
        self._pypi = pypi
        self._root = root
        self._count = count
        self._env = env

    def __enter__(self) -> Self:
        self._resources = ExitStack()
        with ExitStack() as resources:
            store = f"s3://{BUCKET}/{self._root.name}"
            self.namespace = namespace(store)
            self.env = {
                **self.storage.environment,
                "CHEESEBOX_STORE": store,
                "CHEESEBOX_STORE_ENDPOINT": self.storage.endpoint,
                "CHEESEBOX_CATALOGUE": f"{self.valkey.url}/0",
                **self._env,
            }
            self.nodes = [resources.enter_context(self._node(number)) for number in range(self._count)]
            self._resources = resources.pop_all()
        return self

    def _node(self, number: int) -> NodeProcess:
        name, net = f"node{number}", self._network
        if net is None:
            return NodeProcess(name, self._pypi.simple_url, self._root, self.env)
        host, within = net.addresses[number], net.within(net.names[number])
        return NodeProcess(name, self._pypi.simple_url, self._root, self.env, host=host, within=within)

    def leases_of(self, node: NodeProcess) -> int:
        """Count what a node is fetching for all; 0 while the register is away."""
        with suppress(redis.RedisError), self.valkey.client() as client:
            leases = client.keys(f"{{cheesebox:{self.namespace}}}:l:*")
            return sum(node.node_url.encode() in (client.get(lease) or b"") for lease in leases)
        return 0

    def parts_of(self, node: NodeProcess) -> list[Path]:
        """Give the growing files of a node."""
        return [path for path in (self._root / node.name / ".parts").rglob("*") if path.is_file()]

    def __exit__(self, *_: object) -> None:
        self._resources.close()


def free_port() -> int:
    """Give a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
