"""What the double answers to a request, apart from how the bytes travel: pure functions of its contents."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.fakes.faults import Options, Reply
from tests.fakes.index_pages import (
    JSON_TYPE,
    FakeFile,
    Project,
    canonical_json,
    choose_type,
    legacy_json,
    normalized,
    project_html,
    project_json,
    provenance_path,
    root_html,
    root_json,
    strong_etag,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.wire import Request

LAST_MODIFIED = "Wed, 01 Jan 2025 00:00:00 GMT"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")
_PAGE_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Expose-Headers": "X-PyPI-Last-Serial",
}


@dataclass(slots=True)
class Contents:
    """All that the index holds; ``rendered`` keeps pages until anything changes."""

    projects: dict[str, Project] = field(default_factory=dict)
    by_path: dict[str, FakeFile] = field(default_factory=dict)
    serial: int = 1000
    rendered: dict[tuple[str, ...], bytes] = field(default_factory=dict)

    def touch(self, name: str) -> Project:
        """Return the project (a new one if need be) with a new serial."""
        self.serial += 1
        self.rendered.clear()
        project = self.projects.setdefault(normalized(name), Project(name, self.serial))
        project.serial = self.serial
        return project

    def memo(self, key: tuple[str, ...], render: Callable[[], bytes]) -> bytes:
        """Render once for each state of the index."""
        if key not in self.rendered:
            self.rendered[key] = render()
        return self.rendered[key]


def answer(contents: Contents, request: Request, options: Options, base: str) -> Reply:
    """Make the answer to one request; ``base`` is the index's own root URL without a slash."""
    path = unquote(request.path)
    if request.method == "OPTIONS":
        return Reply(204, {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, HEAD"})
    if request.method not in ("GET", "HEAD"):
        return Reply(405, {"Allow": "GET, HEAD, OPTIONS", "Content-Type": "text/plain"}, b"405\n")
    match path.strip("/").split("/"):
        case ["simple", *rest] if len(rest) <= 1:
            reply = _simple(contents, request, options, base)
        case ["packages", *_]:
            reply = _package(contents, request, options, path)
        case ["pypi", name, *version, "json"] if len(version) <= 1:
            reply = _legacy(contents, request, name, next(iter(version), None))
        case ["integrity", *_]:
            reply = _provenance(contents, request, path)
        case _:
            reply = not_found()
    return reply


def not_found() -> Reply:
    """PyPI's plain 404."""
    return Reply(404, {"Content-Type": "text/plain", **_PAGE_CORS}, b"404 Not Found")


def _simple(contents: Contents, request: Request, options: Options, base: str) -> Reply:
    name = unquote(request.path)[len("/simple") :].strip("/")
    canonical = f"/simple/{normalized(name)}/" if name else "/simple/"
    if request.path != canonical:
        return Reply(301, {"Location": canonical, "Content-Type": "text/plain"}, b"301 Moved Permanently")
    kind = choose_type("text/html" if options.html_only else request.headers.get("accept", ""), request.query)
    kind = "text/html" if options.html_only else kind
    if not name:
        serial = contents.serial + options.serial_shift
        body = _root_body(contents, kind, serial)
    elif (project := contents.projects.get(name)) is None:
        return not_found()
    else:
        serial = project.serial + options.serial_shift
        render = project_json if kind == JSON_TYPE else project_html
        body = contents.memo((name, kind, str(serial)), lambda: render(project, serial, base))
    headers = {"Vary": "Accept, Accept-Encoding", "X-PyPI-Last-Serial": str(serial)}
    return _page(contents, request, kind, body, headers)


def _root_body(contents: Contents, kind: str, serial: int) -> bytes:
    listed = [contents.projects[name] for name in sorted(contents.projects)]
    listed = [project for project in listed if project.status != "quarantined"]
    render = root_json if kind == JSON_TYPE else root_html
    return contents.memo(("", kind, str(serial)), lambda: render(listed, serial))


def _page(contents: Contents, request: Request, kind: str, body: bytes, headers: dict[str, str]) -> Reply:
    head = {"Content-Type": kind, "Cache-Control": "max-age=600, public", **_PAGE_CORS, **headers}
    if "gzip" in request.headers.get("accept-encoding", ""):
        key = ("gzip", hashlib.sha256(body).hexdigest())
        plain, body = body, b""
        body = contents.memo(key, lambda: gzip.compress(plain, 6, mtime=0))
        head["Content-Encoding"] = "gzip"
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).rstrip(b"=").decode()
    head["ETag"] = f'"{digest}"'
    if head["ETag"] in request.headers.get("if-none-match", ""):
        kept = {key: value for key, value in head.items() if key not in ("Content-Type", "Content-Encoding")}
        return Reply(304, kept)
    return Reply(200, head, body)


def _legacy(contents: Contents, request: Request, name: str, version: str | None) -> Reply:
    project = contents.projects.get(normalized(name))
    body = legacy_json(project, version) if project and project.status != "quarantined" else None
    if project is None or body is None:
        return Reply(404, {"Content-Type": "application/json"}, canonical_json({"message": "Not Found"}))
    headers = {"Cache-Control": "max-age=900, public", "X-PyPI-Last-Serial": str(project.serial)}
    return _page(contents, request, "application/json", body, headers)


def _provenance(contents: Contents, request: Request, path: str) -> Reply:
    for file in list(contents.by_path.values()):
        if file.provenance is not None and provenance_path(file) == path:
            kind = "application/vnd.pypi.integrity.v1+json"
            return _page(contents, request, kind, canonical_json(file.provenance), {"Vary": "Accept"})
    message = canonical_json({"message": "No provenance available"})
    return Reply(404, {"Content-Type": "application/json"}, message)


def _package(contents: Contents, request: Request, options: Options, path: str) -> Reply:
    file = contents.by_path.get(path)
    if file is not None:
        return _bytes(request, options, file.content, file.etag)
    owner = contents.by_path.get(path.removesuffix(".metadata"))
    if owner is None or owner.metadata is None:
        return not_found()
    reply = _bytes(request, options, owner.metadata, strong_etag(owner.metadata))
    if reply.status == 200 and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(owner.metadata, mtime=0)
        return Reply(200, {**reply.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}, body)
    return reply


def _bytes(request: Request, options: Options, content: bytes, etag: str) -> Reply:
    headers = {
        "Content-Type": "binary/octet-stream",
        "Cache-Control": "max-age=365000000, immutable, public",
        "ETag": etag,
        "Last-Modified": LAST_MODIFIED,
        "Access-Control-Allow-Origin": "*",
    }
    if not options.ranges:
        return Reply(200, headers, content)
    headers["Accept-Ranges"] = "bytes"
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", etag) not in (etag, LAST_MODIFIED):
        return Reply(200, headers, content)
    return _partial(headers, content, asked.group(1), asked.group(2))


def _partial(headers: dict[str, str], content: bytes, first: str, last: str) -> Reply:
    size = len(content)
    start = int(first) if first else max(0, size - int(last or 0))
    end = min(int(last), size - 1) if first and last else size - 1
    if start >= size or start > end or not (first or last):
        return Reply(416, {**headers, "Content-Range": f"bytes */{size}"}, b"")
    headers = {**headers, "Content-Range": f"bytes {start}-{end}/{size}"}
    return Reply(206, headers, memoryview(content)[start : end + 1])
