"""How the bytes of one answer travel: framing, gates, pace and cuts."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.fakes.faults import Cut, Framing, Gate

if TYPE_CHECKING:
    from tests.fakes.faults import Delivery, Pace, Reply
    from tests.fakes.wire import Connection

SMALL = 1 << 16


def head_bytes(reply: Reply, *, close: bool) -> bytes:
    """Write the status line and the headers, with the framing's own ones."""
    headers = {"Date": formatdate(usegmt=True), **reply.headers}
    if reply.framing is Framing.CHUNKED:
        headers["Transfer-Encoding"] = "chunked"
    elif reply.framing is Framing.LENGTH and reply.status not in (204, 304):
        headers["Content-Length"] = str(len(reply.body) + reply.length_delta)
    if close:
        headers["Connection"] = "close"
    phrase = HTTPStatus(reply.status).phrase if reply.status in set(HTTPStatus) else "Unusual"
    lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def deliver(connection: Connection, reply: Reply, delivery: Delivery, *, bodyless: bool) -> bool:
    """Send an answer as ``delivery`` says; ``bodyless`` for HEAD. Return whether the connection can go on."""
    if delivery.delay:
        await asyncio.sleep(delivery.delay)
    for gate in delivery.head_gates:
        await gate.pass_through()
    if delivery.cut and delivery.cut.after < 0:
        _cut(connection, delivery.cut)
        return False
    head = head_bytes(reply, close=reply.framing is Framing.CLOSE)
    if bodyless or reply.status in (204, 304):
        await connection.send(head)
        return not delivery.close
    return await _send_whole(connection, reply, delivery, head)


async def _send_whole(connection: Connection, reply: Reply, delivery: Delivery, head: bytes) -> bool:
    plain = not (delivery.cut or delivery.pace or delivery.body_gates)
    if plain and reply.framing is not Framing.CHUNKED and len(reply.body) <= SMALL:
        await connection.send(head + reply.body)
        return not delivery.close and reply.framing is Framing.LENGTH
    await connection.send(head)
    body = _Body(connection, reply, delivery.pace)
    for offset, stop in _stops(delivery):
        await body.advance(offset)
        if isinstance(stop, Cut):
            await connection.drained()
            _cut(connection, stop)
            return False
        await stop.pass_through()
    await body.finish()
    return not delivery.close and reply.framing is not Framing.CLOSE


def _stops(delivery: Delivery) -> list[tuple[int, Gate | Cut]]:
    """All points where something happens, by offset; at one offset gates come before the cut."""
    stops: list[tuple[int, Gate | Cut]] = list(delivery.body_gates)
    if delivery.cut:
        stops.append((delivery.cut.after, delivery.cut))
    return sorted(stops, key=lambda stop: stop[0])


def _cut(connection: Connection, cut: Cut) -> None:
    if cut.reset:
        connection.reset()
    else:
        connection.close()


class _Body:
    """A body on its way: knows how far it is."""

    def __init__(self, connection: Connection, reply: Reply, pace: Pace | None) -> None:
        self._connection = connection
        self._view = memoryview(reply.body)
        self._chunked = reply.framing is Framing.CHUNKED
        self._pace = pace
        self._at = 0

    async def advance(self, offset: int) -> None:
        """Send up to ``offset``."""
        while self._at < min(offset, len(self._view)):
            end = min(offset, len(self._view), self._at + (self._pace.chunk if self._pace else 1 << 20))
            await self._piece(self._view[self._at : end])
            self._at = end
            if self._pace:
                await asyncio.sleep(self._pace.interval)

    async def finish(self) -> None:
        """Send the rest, and the last chunk if there are chunks."""
        await self.advance(len(self._view))
        if self._chunked:
            await self._connection.send(b"0\r\n\r\n")

    async def _piece(self, piece: memoryview) -> None:
        if self._chunked:
            await self._connection.send(f"{len(piece):x}\r\n".encode())
        await self._connection.send(piece)
        if self._chunked:
            await self._connection.send(b"\r\n")
