"""Whether the store can be used."""

from __future__ import annotations

import pytest

from cheesebox.cache.readiness import Readiness
from cheesebox.errors import StoreError, StoreFull
from tests.cache.fakes import ManualClock, parts_below
from tests.cache.house import House


@pytest.fixture
def timer():
    return ManualClock(0.0)


async def test_a_store_that_can_be_used_is_ready_and_nothing_is_left_in_it(tmp_path, timer):
    async with House(tmp_path) as house:
        assert await Readiness(house.shelf, timer).reason() is None
        assert parts_below(tmp_path) == []


async def test_a_store_that_cannot_be_written_is_told_until_it_can(tmp_path, timer):
    async with House(tmp_path) as house:
        readiness = Readiness(house.shelf, timer)
        hidden = tmp_path / ".parts"
        hidden.rename(tmp_path / "away")
        assert "cannot write to the cache directory" in await readiness.reason()
        (tmp_path / "away").rename(hidden)
        assert await readiness.reason() is not None  # looked at a moment ago
        timer.pass_time(3)
        assert await readiness.reason() is None


@pytest.mark.parametrize(("error", "expected"), [(StoreFull("full"), None), (StoreError("odd"), "odd")])
async def test_a_full_disk_is_no_reason_and_a_broken_one_is(tmp_path, timer, error, expected, monkeypatch):
    def begin(_key):
        raise error

    async with House(tmp_path) as house:
        monkeypatch.setattr(house.disk, "begin", begin)
        assert await Readiness(house.shelf, timer).reason() == expected


async def test_a_catalogue_that_cannot_be_read_is_told(tmp_path, timer, monkeypatch):
    def totals():
        raise StoreError("the catalogue is damaged")

    async with House(tmp_path) as house:
        monkeypatch.setattr(house.catalogue, "totals", totals)
        assert await Readiness(house.shelf, timer).reason() == "the catalogue is damaged"
