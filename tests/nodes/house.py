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
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.engines.storage import Storage
    from tests.engines.valkey import ValkeyServer
    from tests.fakes.pypi import FakePyPI

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Place:
    """Where a node runs. ``within`` is what its command begins with: a namespace, another clock."""

    host: str = "127.0.0.1"
    within: tuple[str, ...] = ()
    scheme: str = "http"


HERE = (Place(),) * 3


class NodeProcess(CheeseboxProcess):
    """One node; it keeps its port over restarts."""

    def __init__(self, name: str, place: Place, upstream: str, root: Path, env: dict[str, str]) -> None:
        self.name = name
        port = free_port()
        self.node_url = f"{place.scheme}://{place.host}:{port}"
        super().__init__(
            upstream,
            root / name,
            *("--host", place.host, "--port", str(port), "--node-url", self.node_url),
            "--no-access-log",
            env=env,
        )
        self.command = (*place.within, *self.command)

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
    """A node at each place, with a part of the engines to themselves; use as a context manager."""

    def __init__(
        self, engines: Engines, pypi: FakePyPI, root: Path, places: Sequence[Place] = HERE, **env: str
    ) -> None:
        self.valkey, self.storage = engines.valkey, engines.storage
        self._pypi = pypi
        self._root = root
        self._places = places
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
            self.nodes = [
                resources.enter_context(
                    NodeProcess(f"node{number}", place, self._pypi.simple_url, self._root, self.env)
                )
                for number, place in enumerate(self._places)
            ]
            self._resources = resources.pop_all()
        return self

    def leases_of(self, node: NodeProcess) -> int:
        """Count what a node is fetching for all; 0 while the register is away."""
        with suppress(redis.RedisError), self.valkey.client() as client:
            leases = client.keys(f"{{cheesebox:{self.namespace}}}:l:*")
            return sum(node.node_url.encode() in (client.get(lease) or b"") for lease in leases)
        return 0

    def published(self, suffix: str = "") -> int:
        """Count the bodies of which the register knows."""
        return len(self.valkey.command("KEYS", f"{{cheesebox:{self.namespace}}}:o:*{suffix}"))

    def parts_of(self, node: NodeProcess) -> list[Path]:
        """Give the growing files of a node."""
        return [path for path in (self._root / node.name / ".parts").rglob("*") if path.is_file()]

    def size_of_part(self, node: NodeProcess) -> int:
        """Give how much of a download lies on a node's disk, in bytes."""
        return sum(part.stat().st_size for part in self.parts_of(node))

    def __exit__(self, *_: object) -> None:
        self._resources.close()


def free_port() -> int:
    """Give a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
