"""The body of a download under way: who keeps up is given its pieces, others read the part."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from cheesebox.adapters.disk_store import DiskStore, PartFile
from cheesebox.cache.blocking import Blocking
from cheesebox.cache.growing import WITHHELD, GrowingBody
from cheesebox.errors import StoreError
from cheesebox.ports import Key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIECES = [bytes([number]) * (100_000 + number) for number in range(6)]
WHOLE = b"".join(PIECES)


class Growing:
    """A growing body with what writes it. ``reads`` counts reads of the part."""

    def __init__(self, root: Path) -> None:
        store = DiskStore(root)
        store.prepare()
        self.part: PartFile = store.begin(Key("demo"))
        self.blocking = Blocking(1)
        self.body = GrowingBody(self.part, self.blocking)
        self.body.total = len(WHOLE)
        self.reads: list[tuple[int, int]] = []
        self._read_cached = self.part.read_cached
        self.part.read_cached = self._count_read  # type: ignore[method-assign] # counts, and reads as before

    def _count_read(self, offset: int, length: int) -> bytes | None:
        self.reads.append((offset, length))
        return self._read_cached(offset, length)

    def write(self, *pieces: bytes) -> None:
        self.part.append(pieces)
        self.body.advance(self.part.size, pieces)


@pytest.fixture
def growing(root: Path) -> Iterator[Growing]:
    """Give a body of which nothing is written."""
    growing = Growing(root)
    yield growing
    growing.blocking.close()
    growing.part.close()


async def _turn() -> None:
    """Let the readers come to where they wait."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_who_waits_for_the_next_bytes_is_given_the_very_pieces_that_came(growing: Growing) -> None:
    stream = growing.body.read(0, None)
    first = asyncio.ensure_future(anext(stream))
    await _turn()
    growing.write(PIECES[0], PIECES[1])
    assert await first is PIECES[0]
    assert await anext(stream) is PIECES[1]
    assert growing.reads == []


async def test_all_readers_get_the_same_bytes_whether_they_keep_up_or_not(growing: Growing) -> None:
    async def read(start: int) -> bytes:
        return b"".join([chunk async for chunk in growing.body.read(start, None)])

    early = [asyncio.create_task(read(start)) for start in (0, 50_000, 250_001)]
    for one, other in pairwise(range(0, len(PIECES) + 1, 2)):
        await _turn()
        growing.write(*PIECES[one:other])
    late = asyncio.create_task(read(7))
    await _turn()
    growing.body.verified()
    assert await asyncio.gather(*early) == [WHOLE, WHOLE[50_000:], WHOLE[250_001:]]
    assert await late == WHOLE[7:]
    assert growing.reads  # who came late


async def test_a_piece_is_cut_where_the_withheld_bytes_begin(growing: Growing) -> None:
    stream = growing.body.read(0, None)
    seen = b""
    first = asyncio.ensure_future(anext(stream))
    await _turn()
    growing.write(*PIECES)
    seen += await first
    while len(seen) < len(WHOLE) - WITHHELD:
        seen += await anext(stream)
    assert seen == WHOLE[:-WITHHELD]
    growing.body.fail(StoreError("broken"))
    with pytest.raises(StoreError):
        await anext(stream)


async def test_nothing_is_held_for_those_who_are_not_waiting(growing: Growing) -> None:
    growing.write(*PIECES[:3])
    chunk = await anext(growing.body.read(0, None))
    assert WHOLE.startswith(chunk)
    assert len(growing.reads) == 1
