"""Hot files: bytes/s and CPU per gigabyte against nginx's sendfile, requests/s against other proxies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bench import http, wrk
from bench.checks import check_file
from bench.corpus import FILE_SIZES
from bench.results import Group, Measurement, Row, in_turn, ratios
from bench.stock import stock_file

if TYPE_CHECKING:
    from bench.lab import Lab
    from bench.peers.base import Running

CONNECTIONS = {"mid": 16, "big": 4}
GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Served:
    """Bytes/s that came, the server's CPU seconds a gigabyte, the share of the client's core in use."""

    rate: float
    cpu: float
    busy: float


def _serve(lab: Lab, running: Running, kind: str, url: str) -> Served:
    before = running.process.cpu_seconds()
    told = http.flood(url, FILE_SIZES[kind], lab.options.seconds, CONNECTIONS[kind])
    cpu = running.process.cpu_seconds() - before
    return Served(told.rate, cpu * GIGABYTE / told.total, told.busy)


def _measure_bytes(lab: Lab, kind: str) -> list[Measurement]:
    subject, peer = lab.subject(), lab.peer("nginx-static")
    stock_file(peer, kind)
    stock_file(subject, kind)
    urls = [check_file(running, kind) for running in (subject, peer)]
    ours = partial(_serve, lab, subject, kind, urls[0])
    theirs = partial(_serve, lab, peer, kind, urls[1])
    pairs = in_turn(lab.options.pairs, ours, theirs)
    busy = [served.busy for pair in pairs for served in pair]
    rates = ratios([(one.rate, other.rate) for one, other in pairs], load_busy=busy)
    return [rates, ratios([(one.cpu, other.cpu) for one, other in pairs])]


def _measure_requests(lab: Lab, peer_id: str) -> list[Measurement]:
    subject, peer = lab.subject(), lab.peer(peer_id)
    stock_file(subject, "small")
    urls = [check_file(running, "small") for running in (subject, peer)]

    def load(url: str) -> float:
        return wrk.run(url, http.UV_FILE, lab.options.seconds).rate

    return [ratios(in_turn(lab.options.pairs, partial(load, urls[0]), partial(load, urls[1])))]


def _bytes_group(kind: str, size: str) -> Group:
    rate = Row(f"file.{size}.nginx-static", f"hot file {size}", "nginx-static", ">=", 1.2, quantity="bytes/s")
    work = f"CPU per GB, hot file {size}"
    cpu = Row(f"cpu.{size}.nginx-static", work, "nginx-static", "<=", 1.0, quantity="CPU s/GB")
    return Group((rate, cpu), partial(_measure_bytes, kind=kind))


def _requests_group(peer_id: str) -> Group:
    row = Row(f"file.20KB.{peer_id}", "hot file 20 KB", peer_id, ">=", 30.0)
    return Group((row,), partial(_measure_requests, peer_id=peer_id))


GROUPS = (
    _bytes_group("mid", "1MB"),
    _bytes_group("big", "100MB"),
    _requests_group("proxpi"),
    _requests_group("devpi"),
)
