"""What the upstream says: the answer to one request, from memory or a mapped wheel."""

from __future__ import annotations

import gzip
import hashlib
import json
import mmap
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench import corpus
from bench.recording import JSON_TYPE, Recording

if TYPE_CHECKING:
    from collections.abc import Mapping

HTML_TYPE = "application/vnd.pypi.simple.v1+html"
Part = bytes | memoryview
FOR_EVER = "max-age=365000000, immutable, public"


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, header fields and a body in parts; the length of a HEAD's body is told but not sent."""

    status: int
    fields: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    @property
    def length(self) -> int:
        return sum(len(part) for part in self.parts)

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.fields.items()]
        length = [] if self.status == HTTPStatus.NOT_MODIFIED else [f"Content-Length: {self.length}"]
        return ("\r\n".join([*lines, *length]) + "\r\n\r\n").encode("latin-1")


class Site:
    """One index with its files, as seen at `base` (an origin such as http://127.0.0.1:8000)."""

    def __init__(
        self, base: str, *, metadata: bool, recording: Recording | None, canned: dict[str, Reply]
    ) -> None:
        self._base = base
        self._metadata = metadata
        self._recording = recording
        self._canned = canned
        self._pages: dict[tuple[str, str, bool], Reply] = {}
        self._maps: dict[str, memoryview] = {}

    def answer(self, path: str, headers: Mapping[str, str]) -> Reply:
        """Return the reply to a GET of `path`, conditions and ranges of `headers` applied."""
        reply = self._find(path, headers)
        if reply.status != HTTPStatus.OK:
            return reply
        if headers.get("if-none-match") == reply.fields.get("ETag", ""):
            return Reply(304, reply.fields)
        return _ranged(reply, headers.get("range", ""))

    def _find(self, path: str, headers: Mapping[str, str]) -> Reply:
        if path in self._canned:
            return self._canned[path]
        if path.startswith("/simple/"):
            return self._page(path.removeprefix("/simple/").rstrip("/"), headers)
        if path.endswith(".metadata"):
            return self._metadata_of(path.removesuffix(".metadata"))
        return self._file(path)

    def _page(self, project: str, headers: Mapping[str, str]) -> Reply:
        if not project:
            return self._project_list()
        accept = headers.get("accept", "")
        content_type = next((known for known in (JSON_TYPE, HTML_TYPE) if known in accept), "text/html")
        zipped = "gzip" in headers.get("accept-encoding", "")
        key = (project, content_type, zipped)
        if key not in self._pages:
            reply = self._render(*key)
            if reply is None:
                return Reply(404)
            self._pages[key] = reply
        return self._pages[key]

    def _project_list(self) -> Reply:
        names = [*corpus.PAGE_SIZES, *(f"bench-{kind}" for kind in corpus.LISTED)]
        names += self._recording.pages if self._recording else ()
        body = json.dumps(
            {"meta": {"api-version": "1.4"}, "projects": [{"name": name} for name in names]}
        ).encode()
        return Reply(200, {"Content-Type": JSON_TYPE, "Cache-Control": "max-age=600, public"}, (body,))

    def _render(self, project: str, content_type: str, zipped: bool) -> Reply | None:  # noqa: FBT001 - part of the key
        entries = self._entries(project)
        if entries is None:
            return None
        render = corpus.render_json if content_type == JSON_TYPE else corpus.render_html
        body = render(project, entries)
        fields = {
            "Content-Type": content_type,
            "Cache-Control": "max-age=600, public",
            "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            "Vary": "Accept, Accept-Encoding",
            "X-PyPI-Last-Serial": "1",
        }
        if zipped:
            body = gzip.compress(body, 6, mtime=0)
            fields["Content-Encoding"] = "gzip"
        return Reply(200, fields, (body,))

    def _entries(self, project: str) -> list[dict[str, object]] | None:
        if self._recording is not None and project in self._recording.pages:
            entries = json.loads(self._recording.pages[project].read_bytes())["files"]
        elif project in corpus.PAGE_SIZES or project.removeprefix("bench-") in corpus.LISTED:
            entries = corpus.page_entries(project)
        else:
            return None
        for entry in entries:
            self._localise(entry)
        return entries

    def _localise(self, entry: dict[str, object]) -> None:
        """Point the file's address here and tell its metadata as this link does."""
        path = urlsplit(str(entry["url"])).path
        entry["url"] = self._base + path
        known = entry.pop("core-metadata", None) or entry.pop("data-dist-info-metadata", None)
        if not self._metadata:
            return
        if self._recording is not None and path in self._recording.wheels:
            body = self._recording.wheels[path].metadata.read_bytes()
            entry["core-metadata"] = {"sha256": hashlib.sha256(body).hexdigest()}
        elif known or path.endswith(".whl"):
            entry["core-metadata"] = known or True

    def _metadata_of(self, path: str) -> Reply:
        if self._recording is not None and path in self._recording.wheels:
            body = self._recording.wheels[path].metadata.read_bytes()
        elif self._file(path).status == HTTPStatus.OK:
            body = corpus.core_metadata()
        else:
            return Reply(404)
        return _stored((body,), hashlib.sha256(body).hexdigest()) if self._metadata else Reply(404)

    def _file(self, path: str) -> Reply:
        if self._recording is not None and path in self._recording.wheels:
            if path not in self._maps:
                with self._recording.wheels[path].body.open("rb") as file:
                    self._maps[path] = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            return _stored((self._maps[path],), path.split("/")[-2])
        name = path.rsplit("/", 1)[-1]
        kind, _, rest = name.removeprefix("bench_").partition("-1.0.")
        number = rest.split("-")[0]
        if kind not in corpus.FILE_SIZES or not number.isdigit():
            return Reply(404)
        file = corpus.family(kind).file(int(number))
        if file.path != path:
            return Reply(404)
        return _stored((memoryview(corpus.family(kind).body), file.tail), file.sha256[:32])


def _stored(parts: tuple[Part, ...], tag: str) -> Reply:
    fields = {
        "Content-Type": "application/octet-stream",
        "Cache-Control": FOR_EVER,
        "ETag": f'"{tag}"',
        "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT",
        "Accept-Ranges": "bytes",
    }
    return Reply(200, fields, parts)


def _ranged(reply: Reply, wanted: str) -> Reply:
    """Apply a single byte range (RFC 9110 §14.2); any other Range is ignored, as a server may."""
    if not wanted.startswith("bytes=") or "," in wanted or "Accept-Ranges" not in reply.fields:
        return reply
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    size = reply.length
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1 if first and last else size, size)
    if start >= end:
        return Reply(416, {"Content-Range": f"bytes */{size}"})
    fields = {**reply.fields, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return Reply(206, fields, _cut(reply.parts, start, end))


def _cut(parts: tuple[Part, ...], start: int, end: int) -> tuple[Part, ...]:
    cut: list[Part] = []
    offset = 0
    for part in parts:
        low, high = max(start - offset, 0), min(end - offset, len(part))
        if low < high:
            cut.append(memoryview(part)[low:high])
        offset += len(part)
    return tuple(cut)
