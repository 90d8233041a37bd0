"""Nodes hear of what others change, through losses of the connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cheesebox.cache.purge import Purged, Selection
from cheesebox.commons.commons import Commons
from cheesebox.commons.following import Following
from cheesebox.commons.purging import write_selection
from cheesebox.engines import Removed, Selected
from cheesebox.errors import StoreError
from cheesebox.ports import Key
from tests.cache.house import DEMO
from tests.commons.test_purging import stocked
from tests.commons.town import NodeRegister, Town, until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

KEY = Key("pypi/simple/demo.page")


async def test_a_purge_is_heard_of_after_the_connection_was_lost(root: Path) -> None:
    async with Town(root) as town:
        a, b = await stocked(town, "a", "b")
        town.state.lose_connections()
        await asyncio.sleep(0.01)
        assert a.commons.register_health.trouble == "", "it answers, though a connection was lost"
        await a.purge.remove([KEY])
        await until(lambda: not b.house.documents.has(KEY))


async def test_who_missed_changes_looks_again_and_is_warned(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        await until(lambda: a.register._read)
        with a.commons.news.expecting(KEY) as expectation:
            town.state.lose_everything()
            await expectation.wait(10)
        assert "was cut off for long" in caplog.text


class FailingDisk:
    """Notes what it is to remove, and fails the first time."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    async def remove(self, keys: Sequence[Key]) -> Purged:
        self.asked.append(keys)
        if len(self.asked) == 1:
            raise StoreError("the disk fails")
        return Purged(len(keys), 0)

    async def run(self, selection: Selection) -> Purged:
        self.asked.append(selection)
        return Purged(1, 1)


async def test_a_disk_that_fails_does_not_end_the_following(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FailingDisk()
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        register = NodeRegister(town.state, town.clock, "")
        commons = Commons(register, town.objects, a.house.tasks, town.clock)
        following = asyncio.create_task(Following(commons, disk, pause=0.001).run())
        await until(lambda: register._read)
        town.state.announce(Removed((KEY,)))
        await until(lambda: len(disk.asked) == 1)
        town.state.announce(Removed((Key("other"),)))
        await until(lambda: len(disk.asked) == 2)
        town.state.announce(Selected(write_selection(Selection(DEMO))))
        town.state.announce(Selected("a later version's"))
        town.state.announce(Removed((KEY,)))
        await until(lambda: len(disk.asked) == 4)
        following.cancel()
        assert disk.asked[2] == Selection(DEMO)
        assert f"purged elsewhere, and not removed here: {KEY}" in caplog.text
        assert "purged elsewhere, and not removed here: a later version's" in caplog.text


async def test_a_register_that_is_away_is_found_out_by_who_follows(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        town.state.down = True
        town.state.lose_connections()
        await until(lambda: a.commons.register_health.trouble)
        town.state.down = False
        town.clock.pass_time(30)
        assert await a.commons.find(KEY) is None
        assert a.commons.register_health.trouble == ""


async def test_nobody_is_waited_for_when_all_have_their_news(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        with a.commons.news.expecting(KEY), a.commons.news.expecting(KEY):
            assert len(a.commons.news) == 1
        assert len(a.commons.news) == 0
