"""Puts on the static server's shelves what the caches fetch for themselves."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

from bench import corpus, http
from bench.links import NEAR
from bench.recording import JSON_TYPE, Recording

if TYPE_CHECKING:
    from pathlib import Path

    from bench.lab import Lab
    from bench.peers.base import Running


def stock_file(running: Running, kind: str, number: int = 0) -> None:
    """Write a file of the synthetic index under the static server's root; other peers need nothing."""
    if running.peer != "nginx-static":
        return
    family = corpus.family(kind)
    file = family.file(number)
    target = _shelf(running) / file.path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(family.body + file.tail)


def stock_recording(lab: Lab, running: Running, recording: Recording) -> None:
    """Lay out the recorded index as a folder: pages with relative links, wheels, metadata."""
    shelf, origin = _shelf(running), lab.upstream.origin(NEAR)
    for name in recording.pages:
        page = http.fetch(f"{origin}/simple/{name}/", {"Accept": JSON_TYPE}).body.replace(
            origin.encode(), b"../.."
        )
        folder = shelf / "simple" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.json").write_bytes(page)
        (folder / "index.json.gz").write_bytes(gzip.compress(page, 6))
    for path, wheel in recording.wheels.items():
        target = shelf / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(wheel.body, target)
        _link(wheel.metadata, target.with_name(target.name + ".metadata"))


def _shelf(running: Running) -> Path:
    return running.home / "static" / "pypi"


def _link(source: Path, target: Path) -> None:
    if not target.exists():
        os.link(source, target)
