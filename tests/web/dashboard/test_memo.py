"""One look for many."""

from __future__ import annotations

import asyncio

import pytest

from cheesebox.errors import StoreError
from cheesebox.web.dashboard.memo import Memo


class Looks:
    """Counts its looks; each waits until it may go on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.count = 0
        self.fails = False
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.memo = Memo(self.look, lambda: self.now, 15)

    async def look(self) -> int:
        self.count += 1
        await self.may_end.wait()
        if self.fails:
            raise StoreError("the disk is gone")
        return self.count


async def test_those_who_come_within_its_time_get_what_is_kept():
    looks = Looks()
    assert [await looks.memo.get(), await looks.memo.get()] == [1, 1]
    looks.now += 14.9
    assert await looks.memo.get() == 1
    looks.now += 0.1
    assert await looks.memo.get() == 2


async def test_those_who_come_at_once_share_one_look():
    looks = Looks()
    looks.may_end.clear()
    waiting = [asyncio.ensure_future(looks.memo.get()) for _ in range(20)]
    await asyncio.sleep(0)
    looks.may_end.set()
    assert set(await asyncio.gather(*waiting)) == {1}


async def test_one_who_leaves_does_not_end_it_for_the_others():
    looks = Looks()
    looks.may_end.clear()
    first, second = (asyncio.ensure_future(looks.memo.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    looks.may_end.set()
    assert await second == 2


async def test_a_failure_is_not_kept():
    looks = Looks()
    looks.fails = True
    with pytest.raises(StoreError):
        await looks.memo.get()
    looks.fails = False
    assert await looks.memo.get() == 2


async def test_a_clock_that_was_set_back_keeps_nothing_for_ever():
    looks = Looks()
    await looks.memo.get()
    looks.now -= 10_000
    assert await looks.memo.get() == 2
