"""Is the model right? One real node gets a trace of requests, and the model the same one.

The node is a process of this checkout on loopback, with an upstream beside it that holds some dozens of
projects with files of scaled-down sizes, and much less room than these take. The trace is
`requests.every_request`, put to it one by one at the times that it tells, or later where the machine is
slow. What the node said (`X-Cache2`) and what the upstream was asked for is counted; the model is told when
what was asked for, the sizes and the settings, and nothing of the answers.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import random
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.links import NEAR
from bench.peers.base import Site
from bench.peers.cheesebox import CHEESEBOX
from bench.recording import JSON_TYPE
from bench.simulation.cluster import Cluster, Settings
from bench.simulation.day import Day, Shape
from bench.simulation.popularity import Popularity, fit, read_downloads
from bench.simulation.projects import SLOTS, Project, What
from bench.simulation.requests import Load, Request, every_request
from bench.simulation.sizes import Quantiles, read_sizes
from bench.site import Part, Reply
from bench.upstream import LinkServer, Shared
from cheesebox.cache.envelope import digest_of, pack
from cheesebox.cache.freshness import Policy
from cheesebox.ports import Entry, Key, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.peers.base import Running

SMALLER = 20


@dataclass(frozen=True, slots=True)
class Trial:
    """So many requests within so many seconds, to so many projects, with so much room (bytes)."""

    requests: int = 8_000
    seconds: float = 40.0
    projects: int = 60
    max_size: int = 12_000_000
    fresh_for: float = 4.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trace, predicted or real: shares of the requests, counts, bytes."""

    hit_ratio: float
    page_hit_ratio: float
    file_hit_ratio: float
    upstream_requests: int
    upstream_bytes: int


@dataclass(frozen=True, slots=True)
class Checked:
    """Both, and the CPU seconds of the real node for each request that was no hit, all else included."""

    trial: Trial
    predicted: Outcome
    real: Outcome
    miss_cpu: float

    @property
    def off_by(self) -> float:
        """Tell by how many percentage points the hit ratio was predicted wrongly."""
        return 100 * abs(self.predicted.hit_ratio - self.real.hit_ratio)

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON takes it."""
        return {**asdict(self), "off_by": round(self.off_by, 2)}


def check(trial: Trial) -> Checked:
    """Run the trace through a real node and through the model."""
    trace = _trace(trial)
    site = Upstream()
    for project in {request.project.name: request.project for request in trace}.values():
        site.add(project)
    with site.serving() as origin, tempfile.TemporaryDirectory() as home:
        options = ("--max-size", str(trial.max_size), "--fresh-for", str(trial.fresh_for), "--hot-size", "0")
        running = CHEESEBOX.start(Site(Path(home), origin, options))
        try:
            idle = running.process.cpu_seconds()
            trace, verdicts = _replay(trace, site, running)
            spent = running.process.cpu_seconds() - idle
        finally:
            running.process.stop()
    real = _told(trace, verdicts, site)
    misses = len(trace) * (1 - real.hit_ratio)
    return Checked(trial, predict(trace, trial), real, round(spent / misses, 5))


def predict(trace: list[Request], trial: Trial) -> Outcome:
    """Put the trace to the model."""
    policy = Policy(fresh_for=trial.fresh_for)
    cluster = Cluster(Settings(max_size=trial.max_size, policy=policy, looks_up=True))
    for at, node, project, what, slot in trace:
        cluster.ask(at, node, project, what, slot)
    tally = cluster.tally
    return Outcome(
        tally.hit_ratio,
        tally.page_hits / tally.pages,
        tally.file_hits / tally.files,
        tally.upstream,
        tally.upstream_bytes,
    )


def _trace(trial: Trial) -> list[Request]:
    sizes = read_sizes()
    small = replace(sizes, file=_smaller(sizes.file), metadata=_smaller(sizes.metadata), releases=0.0)
    load = Load(
        Popularity.of(fit(read_downloads()), trial.projects),
        small,
        Day(Shape(bursts=0.0, swing=0.0)),
        trial.requests * 86400.0 / trial.seconds,
        end=trial.seconds,
        seed=trial.seed,
    )
    return list(every_request(load))


def _smaller(sizes: Quantiles) -> Quantiles:
    return Quantiles(tuple(max(100, value // SMALLER) for value in sizes.values))


@dataclass(slots=True)
class Upstream:
    """What the trace asks for, as the upstream has it; counts by path."""

    shared: Shared = field(default_factory=Shared)
    sent: int = 0
    paths: dict[tuple[str, What, int], str] = field(default_factory=dict)

    def add(self, project: Project) -> None:
        """Make the project's page and files; the sizes of the page are noted in the project."""
        entries = [self._file(project, slot) for slot in range(SLOTS)]
        meta = {"api-version": "1.4"}
        body = json.dumps({"meta": meta, "name": f"p{project.name}", "files": entries}).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        path = f"/simple/p{project.name}/"
        self.paths[project.name, What.PAGE, 0] = path
        self.shared.canned[path] = Reply(200, {"Content-Type": JSON_TYPE, "ETag": etag}, (body,))
        entry = Entry(
            Key(f"pypi{path}"),
            Kind.PAGE,
            0,
            digest_of(body),
            f"http://127.0.0.1:10000{path}",
            f"http://127.0.0.1:10000{path}",
            etag=etag,
            content_type=JSON_TYPE,
            fetched_at=time.time(),
        )
        project.page = (len(pack(entry)) + len(body), len(body))

    def _file(self, project: Project, slot: int) -> dict[str, Any]:
        name = f"p{project.name.replace('-', '_')}-1.0.{SLOTS - slot}-py3-none-any.whl"
        body = self._body(project, What.FILE, slot)
        metadata = self._body(project, What.METADATA, slot)
        digest = hashlib.blake2b(body, digest_size=32).hexdigest()
        path = f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{name}"
        self.paths[project.name, What.FILE, slot] = path
        self.paths[project.name, What.METADATA, slot] = f"{path}.metadata"
        fields = {"Content-Type": "application/octet-stream"}
        self.shared.canned[path] = Reply(200, fields, (body,))
        self.shared.canned[f"{path}.metadata"] = Reply(200, fields, (metadata,))
        return {
            "filename": name,
            "url": path,
            "size": len(body),
            "hashes": {"sha256": hashlib.sha256(body).hexdigest()},
            "core-metadata": {"sha256": hashlib.sha256(metadata).hexdigest()},
        }

    def _body(self, project: Project, what: What, slot: int) -> bytes:
        return random.Random(f"{project.name}{what}{slot}").randbytes(project.item(what, slot, 0.0).stored)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve it from a thread; gives the origin."""
        loop = asyncio.new_event_loop()
        server = _Counting(self)
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            listening = asyncio.run_coroutine_threadsafe(server.listen(), loop)
            yield f"http://127.0.0.1:{listening.result(10)}"
        finally:
            asyncio.run_coroutine_threadsafe(_end_all(server), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


class _Counting(LinkServer):
    """Counts the bytes of bodies."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(NEAR, upstream.shared)
        self._upstream = upstream

    async def _send(self, part: Part, writer: asyncio.StreamWriter) -> None:
        self._upstream.sent += len(part)
        await super()._send(part, writer)


async def _end_all(server: LinkServer) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _replay(trace: list[Request], site: Upstream, running: Running) -> tuple[list[Request], list[str]]:
    """Ask at the times of the trace, one by one; gives it with the true times, and what the node said."""
    connection = http.client.HTTPConnection(urlsplit(running.origin).netloc, timeout=30)
    began = time.monotonic()
    asked: list[Request] = []
    verdicts: list[str] = []
    for request in trace:
        time.sleep(max(0.0, began + request.at - time.monotonic()))
        asked.append(request._replace(at=time.monotonic() - began))
        _, _, project, what, slot = request
        path = site.paths[project.name, what, slot]
        connection.request("GET", f"/pypi{path}", headers={"Accept": JSON_TYPE} if what is What.PAGE else {})
        with connection.getresponse() as answer:
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
            verdicts.append(answer.headers["X-Cache2"])
    connection.close()
    return asked, verdicts


def _told(trace: list[Request], verdicts: list[str], site: Upstream) -> Outcome:
    """Sum up what the node and the upstream told."""
    by_what: dict[What, list[bool]] = {what: [] for what in What}
    for request, verdict in zip(trace, verdicts, strict=True):
        by_what[request.what].append(verdict == "HIT")
    hits = [hit for those in by_what.values() for hit in those]
    pages, files = by_what[What.PAGE], by_what[What.FILE]
    return Outcome(
        sum(hits) / len(hits),
        sum(pages) / len(pages),
        sum(files) / len(files),
        site.shared.counts.total(),
        site.sent,
    )
