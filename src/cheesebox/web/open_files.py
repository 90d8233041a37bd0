"""Answers with an open file: all of it, a slice, or that it is what the client has (RFC 9110 §13, §14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.web import conditional, heads, ranges
from cheesebox.web.http import FileSlice, Request, Response

if TYPE_CHECKING:
    from cheesebox.cache.files import OpenFile


def respond(
    file: OpenFile, asked: ranges.Asked | None, request: Request, kind: str, status: heads.Headers
) -> Response:
    """Answer; ``status`` are the header fields that tell how the file was come by."""
    head = file.head
    headers = heads.file_head(head) + status
    cache = file.verdict.value
    if conditional.not_modified(request.headers, head.etag, head.last_modified):
        return Response(304, headers, cache=cache, kind=kind, closing=file.close)
    if head.size is None:
        headers += [("content-type", heads.OCTETS)]
        return Response(200, headers, FileSlice(file, 0, None), cache, kind, file.close)
    span: ranges.Span | ranges.Unsatisfiable | None = None
    if asked and conditional.range_applies(request.header("if-range"), head.etag, head.last_modified):
        span = ranges.resolve(asked, head.size)
    match span:
        case None:
            headers += heads.file_body_head(head.size)
            return Response(200, headers, FileSlice(file, 0, head.size), cache, kind, file.close)
        case ranges.Unsatisfiable():
            headers += [("content-range", f"bytes */{head.size}"), ("content-length", "0")]
            return Response(416, headers, b"", cache, kind, file.close)
        case ranges.Span(start, stop):
            headers += heads.file_body_head(stop - start)
            headers.append(("content-range", f"bytes {start}-{stop - 1}/{head.size}"))
            return Response(206, headers, FileSlice(file, start, stop), cache, kind, file.close)
