"""What each peer gives: how to start it and where it keeps pages and files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urldefrag, urljoin, urlsplit

from bench import http
from bench.corpus import File, family
from bench.recording import JSON_TYPE

if TYPE_CHECKING:
    from pathlib import Path

    from bench.processes import Process


@dataclass(frozen=True, slots=True)
class Site:
    """Where to start a peer: its own folder, the upstream's origin, more arguments for the command."""

    home: Path
    upstream: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that serves: templates of its addresses (`{project}`, `{path}`; no `files`: links tell)."""

    peer: str
    home: Path
    process: Process
    index: str
    files: str | None

    @property
    def origin(self) -> str:
        parts = urlsplit(self.index)
        return f"{parts.scheme}://{parts.netloc}"

    def page(self, project: str) -> str:
        return f"{self.index}{project}/"

    def file(self, kind: str, number: int = 0) -> str:
        """Return the address of a file of the synthetic index."""
        file = family(kind).file(number)
        return f"{self.files}{file.path}" if self.files is not None else self._linked(kind, file)

    def _linked(self, kind: str, file: File) -> str:
        page = http.fetch(self.page(f"bench-{kind}"), {"Accept": JSON_TYPE})
        entries = json.loads(page.decoded())["files"]
        link = next(entry["url"] for entry in entries if entry["filename"] == file.filename)
        return urldefrag(urljoin(page.url, link)).url


class Peer(Protocol):
    """A kind of server."""

    @property
    def id(self) -> str: ...

    @property
    def title(self) -> str: ...

    def version(self) -> str:
        """Return the version installed; installs it when it is a package that is missing."""
        ...

    def start(self, site: Site) -> Running: ...
