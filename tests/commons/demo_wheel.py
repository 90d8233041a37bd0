"""One file that nodes share."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from cheesebox.cache.files import Want
from tests.cache.fakes import Gate, Plan, whole_or_part
from tests.cache.house import hashed_path, url_of

if TYPE_CHECKING:
    from tests.commons.town import Node, Town

BODY = random.Random(7).randbytes(700_000)
PATH = hashed_path(BODY)
URL = url_of(PATH)
HEADERS = {"Content-Length": str(len(BODY)), "ETag": '"v1"'}
HALF = 400_000


def growing(town: Town) -> Gate:
    """Have the upstream stop in mid-body; whoever asks for the rest later gets it."""
    gate = Gate()
    first = Plan([BODY[:HALF], gate, BODY[HALF:]], headers=HEADERS)
    town.upstream.plan(URL, first, lambda request: whole_or_part(BODY, request))
    return gate


async def first_bytes(node: Node) -> tuple[bytes, asyncio.Task[bytes]]:
    """Open the file; give its first bytes, and the rest when it has come."""
    opened = await node.house.files.open(PATH, Want.REST)
    stream = opened.stream(0, None)
    first = await anext(stream)

    async def rest() -> bytes:
        try:
            return b"".join([chunk async for chunk in stream])
        finally:
            opened.close()

    return first, asyncio.create_task(rest())


async def shared(town: Town, *names: str) -> list[Node]:
    """Have a first node fetch and publish, then start the others."""
    nodes = await town.nodes(*names)
    town.upstream.serve(URL, BODY)
    assert await nodes[0].house.read(PATH) == BODY
    await nodes[0].quiet()
    assert list(town.state.kept) == [nodes[0].house.key(PATH)]
    return nodes
