"""devpi-server with one mirror index."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass

from bench import http
from bench.environments import environment_of, version_in
from bench.peers.base import Running, Site
from bench.processes import free_port, spawn, wait_for_port


@dataclass(frozen=True, slots=True)
class Devpi:
    id: str = "devpi"
    title: str = "devpi-server"

    def version(self) -> str:
        return version_in(environment_of("devpi", "devpi-server"), "devpi-server")

    def start(self, site: Site) -> Running:
        port = free_port()
        tools = environment_of("devpi", "devpi-server")
        folder = site.home / "server"
        initialise = [tools / "devpi-init", "--serverdir", folder, "--no-root-pypi", "--root-passwd", "bench"]
        subprocess.run(initialise, check=True, capture_output=True)
        command = [
            str(tools / "devpi-server"),
            "--serverdir",
            str(folder),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        process = spawn(command, site.home)
        wait_for_port(process, port)
        origin = f"http://127.0.0.1:{port}"
        _add_mirror(origin, site.upstream)
        return Running(self.id, site.home, process, f"{origin}/root/mirror/+simple/", None)


def _add_mirror(origin: str, upstream: str) -> None:
    """Create the index root/mirror through devpi's own API."""
    login = json.dumps({"user": "root", "password": "bench"}).encode()
    answer = http.fetch(f"{origin}/+login", {"Content-Type": "application/json"}, method="POST", body=login)
    token = json.loads(answer.body)["result"]["password"]
    headers = {
        "Content-Type": "application/json",
        "X-Devpi-Auth": base64.b64encode(f"root:{token}".encode()).decode(),
    }
    mirror = json.dumps(
        {"type": "mirror", "mirror_url": f"{upstream}/simple/", "mirror_no_project_list": True}
    )
    created = http.fetch(f"{origin}/root/mirror", headers, method="PUT", body=mirror.encode())
    if created.status not in (200, 201):
        raise RuntimeError(f"devpi did not create its mirror: {created.status} {created.body[:300]!r}")


DEVPI = Devpi()
