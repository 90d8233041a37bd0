"""cheesebox from this checkout."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

from bench.environments import environment_of_checkout
from bench.peers.base import Running, Site
from bench.processes import free_port, spawn, wait_for_port


@dataclass(frozen=True, slots=True)
class Cheesebox:
    id: str = "cheesebox"
    title: str = "cheesebox"

    def version(self) -> str:
        return version("cheesebox")

    def start(self, site: Site) -> Running:
        port = free_port()
        command = [
            str(environment_of_checkout() / "cheesebox"),
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        command += ["--cache-dir", str(site.home / "cache"), "--upstream", f"{site.upstream}/simple/"]
        command += ["--upstream-files", f"{site.upstream}/packages/", *site.arguments]
        process = spawn(command, site.home)
        wait_for_port(process, port)
        origin = f"http://127.0.0.1:{port}"
        return Running(self.id, site.home, process, f"{origin}/pypi/simple/", f"{origin}/pypi")


CHEESEBOX = Cheesebox()
