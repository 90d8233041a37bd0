"""Bytes handed on from the upstream without being kept.

For a slice of a file that is not cached (readers of a wheel's directory, lazy metadata), for a slice
far ahead of a download, and for a file that the disk does not take. A whole file is verified here
too: its last bytes are withheld until its digest is right. A slice cannot be verified by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cheesebox.cache import digests
from cheesebox.cache.downloads import FileHead, head_of
from cheesebox.cache.flights import Flights
from cheesebox.cache.growing import WITHHELD
from cheesebox.cache.mirrors import Turns
from cheesebox.cache.transfer import is_lasting, length_of, request_headers, understand
from cheesebox.errors import DigestMismatch, NotFound, UpstreamBroken, UpstreamError, UpstreamStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from cheesebox.cache.downloads import Persistence
    from cheesebox.cache.flights import Tasks
    from cheesebox.cache.origins import Origin
    from cheesebox.ports import Clock, Key, Upstream

log = logging.getLogger(__name__)

_OK = 200
_GONE = (404, 410)
_HEADS_KEPT = 4096
_HEADS_KEPT_FOR = 300.0


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes ``start`` up to ``stop`` of a file of ``size`` bytes (None: not told)."""

    start: int
    stop: int | None
    size: int | None
    is_exact: bool = False
    """Whether an upstream without ranges has nothing to give."""

    @property
    def is_whole(self) -> bool:
        """Tell whether this is all of the file."""
        return self.start == 0 and self.stop in (None, self.size)


class Relays:
    """Hands bytes on."""

    def __init__(
        self, upstreams: Callable[[Origin], Upstream], tasks: Tasks, persistence: Persistence, clock: Clock
    ) -> None:
        """``upstreams`` gives who is asked for a file."""
        self._upstreams = upstreams
        self._persistence = persistence
        self._clock = clock
        self._flights: Flights[FileHead] = Flights(tasks)
        self._heads: OrderedDict[Key, tuple[float, FileHead]] = OrderedDict()

    async def head(self, origin: Origin) -> FileHead:
        """Give the head of a file that is not cached: one upstream request for all who ask."""
        known = self._heads.get(origin.key)
        if known is not None and self._clock() - known[0] < _HEADS_KEPT_FOR:
            return known[1]
        return await asyncio.shield(self._flights.join(origin.key, lambda: self._learn_head(origin)))

    async def _learn_head(self, origin: Origin) -> FileHead:
        # It is remembered within the flight: who comes when the flight is gone must find it.
        head = await self._ask_head(origin)
        self._heads[origin.key] = self._clock(), head
        while len(self._heads) > _HEADS_KEPT:
            self._heads.popitem(last=False)
        return head

    async def _ask_head(self, origin: Origin) -> FileHead:
        if origin.mirrored is None:
            return await self._ask_head_at(origin.url, origin)
        return await origin.mirrored.ask(lambda url: self._ask_head_at(url, origin))

    async def _ask_head_at(self, url: str, origin: Origin) -> FileHead:
        async with self._upstreams(origin).request("HEAD", url, {"Accept-Encoding": "identity"}) as answer:
            length = length_of(answer.headers)
            if answer.status == _OK and length is not None:
                return self._head(origin, length, answer.headers)
            if answer.status in _GONE:
                raise NotFound(f"{url}: not found")
        # Some file hosts answer HEAD with 403 or 405: a request for one byte tells the same.
        async with self._upstreams(origin).request("GET", url, request_headers(0, 1)) as answer:
            begin = understand(answer.status, answer.headers, url, 0, None)
            return self._head(origin, begin.total, answer.headers)

    @staticmethod
    def _head(origin: Origin, size: int | None, headers: Mapping[str, str]) -> FileHead:
        return head_of(origin, size, headers.get("etag", ""), headers.get("last-modified", ""))

    async def read(self, origin: Origin, start: int, stop: int, size: int) -> bytes:
        """Give a slice at once; an upstream without ranges counts as refusing (`UpstreamStatus`)."""
        wanted = Slice(start, stop, size, is_exact=True)
        return b"".join([piece async for piece in self._pieces(origin, wanted)])

    async def stream(
        self, origin: Origin, wanted: Slice, hasher: digests.Hasher | None = None
    ) -> AsyncGenerator[bytes]:
        """Give the bytes of a slice, resumed after a drop.

        ``hasher`` has seen the bytes before the slice: with it, the end of the file is verified.
        """
        held = b""
        if wanted.stop is None:
            wanted = replace(wanted, stop=wanted.size)
        async for chunk in self._pieces(origin, wanted):
            if hasher is None:
                yield chunk
                continue
            hasher.update(chunk)
            held += chunk
            if len(held) > WITHHELD:
                yield held[:-WITHHELD]
                held = held[-WITHHELD:]
        if hasher is not None:
            if origin.digest is not None and hasher.hexdigest() != digests.hex_of(origin.digest):
                raise DigestMismatch(f"{origin.url}: the digest is not {origin.digest}")
            yield held

    async def _pieces(self, origin: Origin, wanted: Slice) -> AsyncGenerator[bytes]:
        position, failures, reached = wanted.start, 0, wanted.start
        turns = Turns(origin.mirrored or origin.url)
        while wanted.stop is None or position < wanted.stop:
            try:
                async for chunk in self._transfer(origin, turns.url, replace(wanted, start=position)):
                    position += len(chunk)
                    yield chunk
                if wanted.stop is None:
                    return
                if position < wanted.stop:
                    raise UpstreamBroken(f"{turns.url}: ended at {position} of {wanted.stop} bytes")
            except (NotFound, UpstreamError) as error:
                if turns.move_on(error):
                    continue
                if isinstance(error, NotFound):
                    raise
                failures = 1 if position > reached else failures + 1
                reached = position
                if is_lasting(error) or failures > self._persistence.retries:
                    raise
                await asyncio.sleep(self._persistence.pause(failures))

    async def _transfer(self, origin: Origin, url: str, wanted: Slice) -> AsyncGenerator[bytes]:
        stop = None if wanted.stop == wanted.size else wanted.stop
        headers = request_headers(wanted.start, stop)
        async with self._upstreams(origin).request("GET", url, headers) as answer:
            begin = understand(answer.status, answer.headers, url, wanted.start, wanted.size)
            if wanted.is_exact and answer.status == _OK and wanted.start:
                raise UpstreamStatus(f"{url} has no ranges", upstream_status=_OK)
            skip, left = begin.skip, None if wanted.stop is None else wanted.stop - wanted.start
            async for chunk in answer.chunks():
                piece = chunk[skip:]
                skip = max(0, skip - len(chunk))
                if left is not None:
                    piece = piece[:left]
                    left -= len(piece)
                if piece:
                    yield piece
                if left == 0:
                    return
