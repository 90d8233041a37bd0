"""Reads the body of an upstream's page: bounded, decoded, whole."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from cheesebox.cache.transfer import length_of
from cheesebox.errors import UpstreamBroken

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.cache.blocking import Blocking
    from cheesebox.ports import UpstreamAnswer

_SMALL = 64 * 1024


async def read_body(answer: UpstreamAnswer, limit: int, blocking: Blocking) -> bytes:
    """Give the decoded body; raises `UpstreamBroken` over ``limit`` bytes, decoded or not."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.chunks():
        size += len(chunk)
        if size > limit:
            raise UpstreamBroken(f"{answer.url}: the page is larger than max_page_size ({limit} bytes)")
        chunks.append(chunk)
    _check_length(answer, size)
    coding = answer.headers.get("content-encoding", "identity").strip().lower()
    if coding in ("identity", ""):
        return b"".join(chunks)
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise UpstreamBroken(f"{answer.url}: unknown content coding {coding!r}")
    decode: Callable[[bytes, int, str], bytes] = _inflate
    if size <= _SMALL:
        return decode(b"".join(chunks), limit, answer.url)
    return await blocking(decode, b"".join(chunks), limit, answer.url)


def _check_length(answer: UpstreamAnswer, size: int) -> None:
    promised = length_of(answer.headers)
    if promised is not None and promised != size:
        raise UpstreamBroken(f"{answer.url}: {size} bytes came, {promised} were promised")


def _inflate(data: bytes, limit: int, url: str) -> bytes:
    """Decode gzip (or zlib's deflate) without ever holding more than ``limit`` bytes."""
    decoder = zlib.decompressobj(wbits=47)
    try:
        body = decoder.decompress(data, limit + 1)
    except zlib.error as error:
        raise UpstreamBroken(f"{url}: broken content coding: {error}") from error
    if len(body) > limit:
        raise UpstreamBroken(f"{url}: the page is larger than max_page_size ({limit} bytes)")
    if not decoder.eof:
        raise UpstreamBroken(f"{url}: the coded body ends too early")
    return body
