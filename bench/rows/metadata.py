"""Hot core metadata (PEP 658), 20 KB."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import http, wrk
from bench.checks import check_body
from bench.corpus import core_metadata
from bench.results import Group, Measurement, Row, in_turn, ratios

if TYPE_CHECKING:
    from bench.lab import Lab

CANNED = "/hot/metadata"


def _measure(lab: Lab) -> list[Measurement]:
    subject, peer = lab.subject(), lab.peer("nginx-plain")
    http.fetch(subject.page("bench-mid"), http.UV_PAGE)
    ours = subject.file("mid") + ".metadata"
    theirs = peer.origin + CANNED
    answer = check_body(ours, http.UV_METADATA, core_metadata())
    lab.upstream.can(f"/canned{CANNED}", answer)
    check_body(theirs, http.UV_METADATA, core_metadata())

    def load(url: str) -> float:
        return wrk.run(url, http.UV_METADATA, lab.options.seconds).rate

    pairs = in_turn(lab.options.pairs, partial(load, ours), partial(load, theirs))
    return [ratios(pairs, bytes=len(answer.body), coding=answer.fields.get("content-encoding", ""))]


GROUPS = (
    Group((Row("metadata.20k.nginx-plain", "hot .metadata 20 KB", "nginx-plain", ">=", 1.2),), _measure),
)
