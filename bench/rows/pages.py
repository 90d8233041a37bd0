"""Hot project pages, asked for as uv does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import http, wrk
from bench.checks import check_page
from bench.corpus import PAGE_SIZES
from bench.results import Group, Measurement, Row, in_turn, ratios

if TYPE_CHECKING:
    from bench.lab import Lab
    from bench.peers.base import Running

TARGETS = {"nginx-sub": 20.0, "nginx-sub-memory": None, "nginx-sub-gzip": None, "nginx-plain": 1.2}
PYTHON_PEERS = ("proxpi", "devpi")


def _measure(lab: Lab, project: str, peer_id: str) -> list[Measurement]:
    subject, peer = lab.subject(), lab.peer(peer_id)
    answer = check_page(lab, subject, project)
    if peer_id == "nginx-plain":
        lab.upstream.can(f"/canned/pypi/simple/{project}/", answer)
    theirs = check_page(lab, peer, project)
    if peer_id == "nginx-plain" and theirs.body != answer.body:
        raise http.WrongAnswerError(f"{theirs.url}: not the bytes that the subject serves")
    busy: list[float] = []

    def load(running: Running) -> float:
        told = wrk.run(running.page(project), http.UV_PAGE, lab.options.seconds)
        busy.append(told.busy)
        return told.rate

    pairs = in_turn(lab.options.pairs, partial(load, subject), partial(load, peer))
    sizes = {"bytes": len(answer.body), "their_bytes": len(theirs.body)}
    return [ratios(pairs, **sizes, coding=answer.fields.get("content-encoding", ""), load_busy=busy)]


def _group(project: str, peer_id: str, target: float | None) -> Group:
    size = project.removeprefix("page-")
    row = Row(f"page.{size}.{peer_id}", f"hot page {_size(project)}", peer_id, ">=", target)
    return Group((row,), partial(_measure, project=project, peer_id=peer_id))


def _size(project: str) -> str:
    size = PAGE_SIZES[project]
    return f"{size / 1e6:.1f} MB" if size >= 1_000_000 else f"{size // 1000} KB"


GROUPS = (
    *(_group(project, peer, target) for project in PAGE_SIZES for peer, target in TARGETS.items()),
    *(_group("page-96k", peer, 30.0) for peer in PYTHON_PEERS),
)
