"""What a row of the benchmark works with: the upstream, the peers that run, the options."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import http
from bench.links import NEAR, Link
from bench.paths import REPOSITORY
from bench.peers import PEERS
from bench.peers.base import Running, Site
from bench.processes import LOAD_CORE

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`pairs` of measurements a row, `seconds` each; slow rows take `slow_pairs`.

    `crowding` scales the downloads and evictions of the tail rows; 1 is what they promise.
    """

    subject: str = "cheesebox"
    pairs: int = 5
    slow_pairs: int = 3
    seconds: float = 2.0
    crowding: float = 1.0


class Upstream:
    """The upstream process and its control address."""

    def __init__(self) -> None:
        command = ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", "bench.upstream"]
        self._popen = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._popen.stdout is not None
        self._ports: dict[str, int] = json.loads(self._popen.stdout.readline())

    def origin(self, link: Link) -> str:
        return f"http://127.0.0.1:{self._ports[link.name]}"

    def can(self, path: str, answer: http.Answer) -> None:
        """Answer `path` from now on with the body and the content fields of `answer`."""
        kept = ("content-type", "content-encoding", "etag", "cache-control")
        headers = {name: answer.fields[name] for name in kept if name in answer.fields}
        told = http.fetch(self._control(path), headers, method="POST", body=answer.body)
        assert told.status == 204

    def forget_counts(self) -> None:
        http.fetch(self._control("/reset"), {})

    def count(self, path: str) -> int:
        """Return how many requests for `path` came since the counts were forgotten, by any link."""
        counts = http.fetch_json(self._control("/counts"))
        assert isinstance(counts, list)
        return sum(count for _, counted, count in counts if counted == path)

    def stop(self) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait(10)

    def _control(self, path: str) -> str:
        return f"http://127.0.0.1:{self._ports['control']}{path}"


@dataclass(slots=True)
class Lab:
    """Starts each peer when a row first asks for it and keeps it for the rows that follow."""

    options: Options
    home: Path
    upstream: Upstream
    running: dict[tuple[str, str, str], Running] = field(default_factory=dict)
    peaks: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _next_file: int = 1000

    def peer(self, peer_id: str, link: Link = NEAR, *arguments: str) -> Running:
        """Return the peer at the near end of `link`, started with more `arguments` if any."""
        key = (peer_id, link.name, " ".join(arguments))
        if key not in self.running:
            home = self.home / f"{len(self.running)}-{peer_id}-{link.name}"
            home.mkdir(parents=True)
            site = Site(home, self.upstream.origin(link), arguments)
            self.running[key] = PEERS[peer_id].start(site)
        return self.running[key]

    def subject(self, link: Link = NEAR, *arguments: str) -> Running:
        """Return the server that the rows are about."""
        return self.peer(self.options.subject, link, *arguments)

    def release(self, running: Running) -> None:
        """Stop a peer that no later row needs; its peak memory is kept."""
        key = next(key for key, value in self.running.items() if value is running)
        self._note_peak(key)
        running.process.stop()
        del self.running[key]
        shutil.rmtree(running.home, ignore_errors=True)

    def new_file_number(self) -> int:
        """Return a number that no file was asked under yet, so that its file is cold everywhere."""
        self._next_file += 1
        return self._next_file

    def peak_bytes(self, peer_id: str) -> dict[str, int]:
        """Return the highest memory of each instance of that peer so far, bytes by link and arguments."""
        for key in self.running:
            self._note_peak(key)
        return {" ".join(key[1:]).strip(): peak for key, peak in self.peaks.items() if key[0] == peer_id}

    def close(self) -> None:
        for running in list(self.running.values()):
            self.release(running)
        self.upstream.stop()

    def _note_peak(self, key: tuple[str, str, str]) -> None:
        self.peaks[key] = max(self.peaks.get(key, 0), self.running[key].process.peak_bytes())
