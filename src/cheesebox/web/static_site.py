"""Answers requests below the mount of a directory that is served as it is."""

from __future__ import annotations

import asyncio
import hashlib
import re
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import quote

from cheesebox.cache.downloads import FileHead
from cheesebox.cache.static_files import FoundFile, FoundFolder, StaticFile
from cheesebox.errors import CheeseboxError, InvalidPath
from cheesebox.web import conditional, problems, ranges, static_paths
from cheesebox.web.content_types import ContentTypes
from cheesebox.web.http import FileSlice, Request, Response
from cheesebox.web.listing import render

if TYPE_CHECKING:
    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.static_files import Mark, StaticTree
    from cheesebox.ports import Clock
    from cheesebox.web.static_paths import StaticPath

_KIND = "static"
_INDEX = b"index.html"
_SLASHES = re.compile(r"//+")
_SECOND = 10**9
_SETTLED_AFTER = 2 * _SECOND
"""A file that changed so recently may change again within one tick of the file system's clock."""
_NOSNIFF = ("x-content-type-options", "nosniff")
_LISTING_POLICY = ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'")


class StaticSite:
    """Files and folders of one tree; ``listing``: folders without ``index.html`` are listed."""

    def __init__(self, tree: StaticTree, blocking: Blocking, clock: Clock, *, listing: bool) -> None:
        self._tree = tree
        self._blocking = blocking
        self._clock = clock
        self._listing = listing
        self._types = ContentTypes()

    async def answer(self, request: Request, path: str) -> Response:
        """Answer a request for ``path`` below the mount, which begins without a slash."""
        if not request.is_read:
            return problems.method_not_allowed("GET, HEAD")
        collapsed = _SLASHES.sub("/", request.path)
        if collapsed != request.path:  # relative links hold below one spelling only
            return problems.redirect(request.prefix + collapsed, request.query)
        try:
            return await self._found(static_paths.parse(path), request)
        except InvalidPath:
            return problems.not_found()
        except CheeseboxError as error:
            return problems.problem(error)

    async def _found(self, path: StaticPath, request: Request) -> Response:
        found = await self._find(path.names)
        match found:
            case FoundFile():
                if path.is_folder:
                    found.blob.close()
                    return problems.not_found()
                return self._file(found, request)
            case FoundFolder():
                if not path.is_folder and path.names:
                    return problems.redirect(f"{quote(path.names[-1], safe='')}/", request.query)
                return await self._folder(path.names, request)
        return problems.not_found()

    async def _folder(self, names: tuple[bytes, ...], request: Request) -> Response:
        index = await self._find((*names, _INDEX))
        if isinstance(index, FoundFile):
            return self._file(index, request)
        body = await self._blocking(self._list, names) if self._listing else None
        return problems.not_found() if body is None else _listed(body, request)

    async def _find(self, names: tuple[bytes, ...]) -> FoundFile | FoundFolder | None:
        call = self._blocking(self._tree.find, names)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            call.add_done_callback(_close)  # the thread goes on, and nobody else takes what it opens
            raise

    def _list(self, names: tuple[bytes, ...]) -> bytes | None:
        folder = self._tree.entries(names)
        return None if folder is None else render(names, folder.entries)

    def _file(self, found: FoundFile, request: Request) -> Response:
        etag, size = _etag(found.mark), found.mark.size
        is_settled = found.mark.modified + _SETTLED_AFTER <= self._clock() * _SECOND
        date = _last_modified(found.mark) if is_settled else ""
        file = StaticFile(found, FileHead(size, etag, date), self._blocking)
        headers = [("etag", etag if is_settled else f"W/{etag}"), _NOSNIFF]
        if date:
            headers.append(("last-modified", date))
        if conditional.not_modified(request.headers, etag, date):
            return Response(304, headers, kind=_KIND, closing=file.close)
        headers += [("content-type", self._types.of(found.name)), ("accept-ranges", "bytes")]
        span = _span(request, etag if is_settled else "", size)
        if isinstance(span, ranges.Unsatisfiable):
            headers += [("content-range", f"bytes */{size}"), ("content-length", "0")]
            return Response(416, headers, kind=_KIND, closing=file.close)
        if span is None:
            headers.append(("content-length", str(size)))
            return Response(200, headers, FileSlice(file, 0, size), kind=_KIND, closing=file.close)
        headers.append(("content-length", str(span.stop - span.start)))
        headers.append(("content-range", f"bytes {span.start}-{span.stop - 1}/{size}"))
        body = FileSlice(file, span.start, span.stop)
        return Response(206, headers, body, kind=_KIND, closing=file.close)


def _close(call: asyncio.Future[FoundFile | FoundFolder | None]) -> None:
    if not call.cancelled() and call.exception() is None and isinstance(found := call.result(), FoundFile):
        found.blob.close()


def _listed(body: bytes, request: Request) -> Response:
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = [("etag", etag), ("cache-control", "no-cache"), _NOSNIFF, _LISTING_POLICY]
    if conditional.not_modified(request.headers, etag):
        return Response(304, headers, kind=_KIND)
    headers += [("content-type", "text/html; charset=utf-8"), ("content-length", str(len(body)))]
    return Response(200, headers, body, kind=_KIND)


def _span(request: Request, strong_etag: str, size: int) -> ranges.Span | ranges.Unsatisfiable | None:
    """Find the range to send. A date in ``If-Range`` never applies: it tells seconds, files change faster."""
    asked = ranges.parse(request.header("range")) if request.method == "GET" else None
    if asked is None or not conditional.range_applies(request.header("if-range"), strong_etag, ""):
        return None
    return ranges.resolve(asked, size)


def _etag(mark: Mark) -> str:
    return f'"{mark.inode:x}-{mark.size:x}-{mark.modified & (2**64 - 1):x}"'


def _last_modified(mark: Mark) -> str:
    try:
        return formatdate(mark.modified // _SECOND, usegmt=True)
    except (ValueError, OverflowError, OSError):  # a clock was wrong by millennia
        return ""
