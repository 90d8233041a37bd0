"""Uses are told to the register, of each body at most once an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.ports import Key
from tests.cache.house import hashed_path, url_of
from tests.commons.town import Town

if TYPE_CHECKING:
    from pathlib import Path

PATH = hashed_path(b"body")
ONE, TWO = Key("pypi/one"), Key("pypi/two")


async def test_a_key_is_told_once_in_an_hour(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        for _ in range(3):
            a.uses.note(ONE)
            await a.uses.tell()
        assert town.state.asked.count("touch") == 1
        a.uses.note(TWO)
        await a.uses.tell()
        assert town.state.asked.count("touch") == 2
        town.clock.pass_time(3600)
        await a.uses.tell()
        assert town.state.asked.count("touch") == 2, "nothing was used"
        a.uses.note(ONE)
        await a.uses.tell()
        assert town.state.asked.count("touch") == 3


async def test_what_could_not_be_told_is_told_when_the_register_is_back(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        town.state.down = True
        a.uses.note(ONE)
        await a.uses.tell()
        town.state.down = False
        town.clock.pass_time(1)
        before = town.state.asked.count("touch")
        await a.uses.tell()
        await a.uses.tell()
        assert town.state.asked.count("touch") == before + 1


async def test_requests_count_as_uses_of_shared_bodies(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        town.upstream.serve(url_of(PATH), b"body")
        await a.house.read(PATH)
        await a.quiet()
        (kept,) = town.state.kept.values()
        before = kept.hour
        town.clock.pass_time(7200)
        await a.house.read(PATH)
        await a.uses.tell()
        assert kept.hour == before + 2
