"""A network of namespaces: one for each node, and a bridge between them that can be cut anywhere.

What runs outside (engines, upstream) is reached under 127.0.0.1 in each namespace, by way of the bridge.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.nodes.house import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

_NET = "10.123.77"
_OUTSIDE = f"{_NET}.1"
_ROOT = Path(__file__).parents[2]


def why_not() -> str:
    """Tell why there can be no namespaces here; empty if there can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    return "" if shutil.which("ip") else "there is no ip command (Debian: iproute2)"


class Network:
    """``count`` namespaces. Use as a context manager."""

    def __init__(self, count: int, ports: Sequence[int]) -> None:
        self._tag = f"cb{secrets.token_hex(3)}"  # what was before goes in its own time
        self._bridge = f"{self._tag}b"
        self._ports = [str(port) for port in ports]
        self.names = [f"{self._tag}n{number}" for number in range(count)]
        self.addresses = [f"{_NET}.{10 + number}" for number in range(count)]
        self.places = [
            Place(address, self.within(name))
            for name, address in zip(self.names, self.addresses, strict=True)
        ]

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            resources.callback(self._remove)
            ip("link", "add", self._bridge, "type", "bridge")
            ip("address", "add", f"{_OUTSIDE}/24", "dev", self._bridge)
            ip("link", "set", self._bridge, "up")
            for name, address in zip(self.names, self.addresses, strict=True):
                self._add(name, address)
            self._forward(resources, (), _OUTSIDE, "127.0.0.1")
            for name in self.names:
                self._forward(resources, self.within(name), "127.0.0.1", _OUTSIDE)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def _add(self, name: str, address: str) -> None:
        ip("netns", "add", name)
        ip("link", "add", f"{name}o", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", f"{name}o", "master", self._bridge, "up")
        for args in (("address", "add", f"{address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
            ip("-n", name, *args)
        ip("-n", name, "link", "set", "lo", "up")

    def _remove(self) -> None:
        for name in self.names:
            subprocess.run(["ip", "link", "delete", f"{name}o"], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", self._bridge], check=False, capture_output=True)

    def _forward(self, resources: ExitStack, within: Sequence[str], listen: str, target: str) -> None:
        command = [*within, sys.executable, "-m", "tests.nodes.forward", listen, target, *self._ports]
        process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE)
        resources.callback(_end, process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"

    @staticmethod
    def within(name: str) -> tuple[str, ...]:
        """Give what a command begins with that is to run in a namespace."""
        return ("ip", "netns", "exec", name)

    def cut(self, number: int) -> None:
        """Take a node off the network: what it sends goes nowhere, and nobody is told."""
        ip("link", "set", f"{self.names[number]}o", "down")

    def mend(self, number: int) -> None:
        """Put it back."""
        ip("link", "set", f"{self.names[number]}o", "up")

    def cut_between(self, one: int, other: int) -> None:
        """Have one node's answers to the other go nowhere."""
        ip("-n", self.names[one], "route", "add", "blackhole", f"{self.addresses[other]}/32")


def ip(*args: str) -> None:
    """Run ``ip``; raises CalledProcessError."""
    subprocess.run(["ip", *args], check=True, capture_output=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
