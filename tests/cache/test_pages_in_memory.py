"""Pages in memory and on disk: what is held, made once, written again, fetched again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.eviction import Limits
from cheesebox.cache.freshness import Verdict
from cheesebox.errors import (
    NotFound,
    StoreError,
)
from cheesebox.simple.negotiation import Coding, Format
from tests.cache.demo_page import KEY, NEW, URL, confirms, filled, is_new, verdict
from tests.cache.fakes import Plan, files_below, json_page, page_plan
from tests.cache.house import DEMO, House

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_page_larger_than_the_memory_is_served_from_disk(root: Path) -> None:
    async with House(root, memory=10) as house:
        await filled(house, NEW)
        for _ in range(3):
            answer = await house.page()
            assert verdict(answer) is Verdict.HIT
            assert is_new(answer)
        assert house.documents.statistics().copies == 0


async def test_what_is_made_of_pages_counts_for_the_memory(root: Path) -> None:
    async with House(root, memory=4000) as house:
        await filled(house, NEW)
        for coding in Coding:
            for form in Format:
                await house.pages.project(DEMO, form, coding)
        held = house.documents.statistics().bytes
        assert 0 < held <= 4000
        house.clock.pass_time(301)
        house.upstream.plan(URL, page_plan(NEW, etag='"p2"'))
        await house.page()
        assert house.documents.statistics().bytes >= held


async def test_many_requests_make_a_representation_once(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        answers = await asyncio.gather(
            *(house.pages.project(DEMO, Format.HTML, Coding.ZSTD) for _ in range(20))
        )
        assert len({id(answer.representation) for answer in answers}) == 1


@pytest.mark.parametrize("limits", [Limits(max_size=10), Limits(max_size=1 << 30, min_free=1 << 60)])
async def test_a_page_is_served_from_memory_when_the_disk_takes_none(root: Path, limits: Limits) -> None:
    async with House(root, limits=limits) as house:
        await filled(house)
        assert verdict(await house.page()) is Verdict.HIT
        assert files_below(root) == set()
        assert len(house.upstream.requests) == 1


async def test_a_page_that_was_evicted_is_written_again_when_it_is_confirmed(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        await house.shelf.forget(house.index.key("simple/demo.page"))
        house.upstream.plan(URL, confirms)
        house.clock.pass_time(301)
        assert verdict(await house.page()) is Verdict.REVALIDATED
        assert files_below(root) == {KEY}


async def test_a_damaged_page_is_fetched_again(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        now = house.clock.now
    page = root / KEY
    page.write_bytes(page.read_bytes().replace(b"files", b"felis"))
    async with House(root) as house:
        house.clock.now = now
        house.upstream.plan(URL, page_plan(NEW))
        answer = await house.page()
        assert verdict(answer) is Verdict.MISS
        assert is_new(answer)


async def test_a_page_body_of_another_version_than_the_catalogue_tells_is_not_served(root: Path) -> None:
    old, new = json_page(name="aaaa"), json_page(name="bbbb")
    async with House(root) as house:
        await filled(house, old)
        house.documents.drop_from_memory(house.index.key("simple/demo.page"))
        before = (root / KEY).read_bytes()
        house.upstream.plan(URL, page_plan(new))
        house.clock.pass_time(301)
        await house.page()
        now = house.clock.now
    assert len(before) == len((root / KEY).read_bytes())
    (root / KEY).write_bytes(before)
    async with House(root) as house:
        house.clock.now = now
        house.upstream.plan(URL, page_plan(new))
        assert verdict(await house.page()) is Verdict.MISS


async def test_a_catalogue_that_cannot_be_written_does_not_keep_pages_from_clients(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("the disk is full")

    async with House(root, upstream_files=None) as house:
        for name in ("announce", "remember", "revalidated", "doom"):
            monkeypatch.setattr(house.catalogue, name, refuse)
        house.upstream.plan(URL, page_plan(NEW))
        assert is_new(await house.page())
        house.upstream.plan(URL, Plan(status=404))
        house.clock.pass_time(301)
        with pytest.raises(NotFound):
            await house.page()
