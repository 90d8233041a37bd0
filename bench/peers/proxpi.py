"""proxpi on gunicorn, one worker with threads, a thread for each connection of the load."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bench.environments import environment_of, version_in
from bench.peers.base import Running, Site
from bench.processes import free_port, spawn, wait_for_port


@dataclass(frozen=True, slots=True)
class Proxpi:
    id: str = "proxpi"
    title: str = "proxpi"

    def version(self) -> str:
        return version_in(environment_of("proxpi", "proxpi", "gunicorn"), "proxpi")

    def start(self, site: Site) -> Running:
        port = free_port()
        tools = environment_of("proxpi", "proxpi", "gunicorn")
        cache = site.home / "cache"
        cache.mkdir()
        settings = {
            "PROXPI_INDEX_URL": f"{site.upstream}/simple/",
            "PROXPI_CACHE_DIR": str(cache),
            "PROXPI_LOGGING_LEVEL": "WARNING",
            "PROXPI_DOWNLOAD_TIMEOUT": "30",
        }
        command = [
            str(tools / "gunicorn"),
            "--bind",
            f"127.0.0.1:{port}",
            "--workers",
            "1",
            "--threads",
            "16",
        ]
        command += ["--keep-alive", "60", "--no-control-socket", "proxpi.server:app"]
        process = spawn(command, site.home, environment={**os.environ, **settings})
        wait_for_port(process, port)
        return Running(self.id, site.home, process, f"http://127.0.0.1:{port}/index/", None)


PROXPI = Proxpi()
