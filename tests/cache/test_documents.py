"""The freshness table: what a page's copy is worth, by the state of the upstream and the time passed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.freshness import Policy, Verdict
from cheesebox.errors import (
    NotFound,
    UpstreamStatus,
    UpstreamTimeout,
)
from tests.cache.demo_page import DAY, DOWN, NEW, OLD, URL, confirms, filled, is_new, verdict
from tests.cache.fakes import JSON, Gate, Plan, files_below, page_plan
from tests.cache.house import House

if TYPE_CHECKING:
    from pathlib import Path


# ── fresh, expired, revalidated


async def test_a_first_request_is_a_miss_and_the_next_ones_are_hits_while_fresh(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        house.clock.pass_time(299)
        answer = await house.page()
        assert verdict(answer) is Verdict.HIT
        assert answer.answered.max_age == 1
        assert len(house.upstream.requests) == 1


async def test_an_expired_page_is_revalidated_by_its_validator(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        house.upstream.plan(URL, confirms)
        house.clock.pass_time(301)
        assert verdict(await house.page()) is Verdict.REVALIDATED
        assert verdict(await house.page()) is Verdict.HIT
        assert [request.headers.get("If-None-Match") for request in house.upstream.requests] == [None, '"p1"']


async def test_an_expired_page_is_replaced_when_it_changed(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        house.upstream.plan(URL, page_plan(NEW, etag='"p2"'))
        house.clock.pass_time(301)
        answer = await house.page()
        assert verdict(answer) is Verdict.EXPIRED
        assert is_new(answer)
        assert is_new(await house.page())


async def test_the_same_body_under_another_validator_keeps_what_was_made_of_it(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        made = (await house.page()).representation
        house.upstream.plan(URL, page_plan(OLD, etag='"p2"'))
        house.clock.pass_time(301)
        answer = await house.page()
        assert verdict(answer) is Verdict.EXPIRED
        assert answer.representation is made
        house.clock.pass_time(301)
        await house.page()
        assert house.upstream.requests[-1].headers["If-None-Match"] == '"p2"'


async def test_revalidation_outlives_a_restart(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        house.upstream.plan(URL, confirms)
        house.clock.pass_time(301)
        await house.page()
        now = house.clock.now
    async with House(root) as house:
        house.clock.now = now + 200
        assert verdict(await house.page()) is Verdict.HIT
        assert house.upstream.requests == []


async def test_a_body_older_than_a_day_is_fetched_whole(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        house.upstream.plan(URL, confirms)
        house.clock.pass_time(DAY - 1)
        assert verdict(await house.page()) is Verdict.REVALIDATED
        house.clock.pass_time(301)
        assert verdict(await house.page()) is Verdict.EXPIRED
        assert "If-None-Match" not in house.upstream.requests[-1].headers


async def test_a_page_without_validator_is_fetched_whole(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, page_plan(OLD, etag=""))
        await house.page()
        house.clock.pass_time(301)
        assert verdict(await house.page()) is Verdict.EXPIRED
        assert "If-None-Match" not in house.upstream.requests[-1].headers


async def test_a_confirmation_that_nobody_asked_for_is_trouble(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, Plan(status=304))
        with pytest.raises(UpstreamStatus):
            await house.page()


# ── one refresh for many


async def test_fifty_first_requests_make_one_upstream_request(root: Path) -> None:
    gate = Gate()
    async with House(root) as house:
        house.upstream.plan(URL, Plan([OLD], headers={"Content-Type": JSON}, before=gate))
        asking = [asyncio.create_task(house.page()) for _ in range(50)]
        await gate.reached.wait()
        gate.opened.set()
        answers = await asyncio.gather(*asking)
        assert {verdict(answer) for answer in answers} == {Verdict.MISS}
        assert [answer.answered.collapsed for answer in answers].count(False) == 1
        assert len(house.upstream.requests) == 1


async def test_others_get_the_stale_copy_at_once_while_one_waits_for_the_refresh(root: Path) -> None:
    gate = Gate()
    async with House(root) as house:
        await filled(house)
        house.upstream.plan(URL, Plan([NEW], headers={"Content-Type": JSON}, before=gate))
        house.clock.pass_time(301)
        first = asyncio.create_task(house.page())
        await gate.reached.wait()
        assert verdict(await house.page()) is Verdict.UPDATING
        assert not first.done()
        gate.opened.set()
        assert verdict(await first) is Verdict.EXPIRED
        assert is_new(await house.page())
        assert len(house.upstream.requests) == 2


async def test_patience_ends_with_the_stale_copy_and_the_refresh_goes_on(root: Path) -> None:
    gate = Gate()
    async with House(root, policy=Policy(refresh_patience=0.0)) as house:
        await filled(house)
        house.upstream.plan(URL, Plan([NEW], headers={"Content-Type": JSON}, before=gate))
        house.clock.pass_time(301)
        assert verdict(await house.page()) is Verdict.UPDATING
        await gate.reached.wait()
        gate.opened.set()
        await house.quiet()
        assert is_new(await house.page())
        assert len(house.upstream.requests) == 2


async def test_a_client_that_leaves_does_not_end_the_refresh(root: Path) -> None:
    gate = Gate()
    async with House(root) as house:
        house.upstream.plan(URL, Plan([OLD], headers={"Content-Type": JSON}, before=gate))
        first = asyncio.create_task(house.page())
        await gate.reached.wait()
        second = asyncio.create_task(house.page())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        gate.opened.set()
        assert verdict(await second) is Verdict.MISS
        assert len(house.upstream.requests) == 1


# ── no-cache


async def test_no_cache_revalidates_a_fresh_copy_once_for_all(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        house.upstream.plan(URL, confirms)
        house.clock.pass_time(11)
        answers = await asyncio.gather(*(house.page(refresh=True) for _ in range(10)))
        assert {verdict(answer) for answer in answers} == {Verdict.REVALIDATED}
        assert len(house.upstream.requests) == 2


async def test_no_cache_is_not_heard_for_a_very_young_copy(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        house.clock.pass_time(9)
        assert verdict(await house.page(refresh=True)) is Verdict.HIT
        assert len(house.upstream.requests) == 1


async def test_no_cache_finds_a_project_that_was_missing_a_moment_ago(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, Plan(status=404))
        with pytest.raises(NotFound):
            await house.page()
        house.upstream.plan(URL, page_plan(OLD))
        house.clock.pass_time(9)
        with pytest.raises(NotFound):
            await house.page(refresh=True)
        house.clock.pass_time(2)
        assert verdict(await house.page(refresh=True)) is Verdict.MISS


# ── trouble


@pytest.mark.parametrize("plan", [Plan(before=DOWN), Plan(status=503), Plan(status=403), Plan(status=301)])
async def test_a_stale_copy_is_served_while_the_upstream_is_in_trouble(root: Path, plan: Plan) -> None:
    async with House(root) as house:
        await filled(house)
        house.upstream.plan(URL, plan)
        house.clock.pass_time(301)
        answer = await house.page()
        assert verdict(answer) is Verdict.STALE
        assert answer.answered.max_age == 0


async def test_without_a_copy_the_trouble_is_told(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, Plan(before=DOWN))
        with pytest.raises(UpstreamTimeout):
            await house.page()
        house.upstream.plan(URL, page_plan(OLD))
        assert verdict(await house.page()) is Verdict.MISS


async def test_the_upstream_is_left_alone_for_longer_after_each_failure(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        house.upstream.plan(URL, Plan(before=DOWN))
        house.clock.pass_time(301)
        asked_at = []
        for second in range(200):
            before = len(house.upstream.requests)
            assert verdict(await house.page()) is Verdict.STALE
            if len(house.upstream.requests) > before:
                asked_at.append(second)
            house.clock.pass_time(1)
        assert asked_at == [0, 5, 15, 35, 75, 135, 195]


async def test_no_cache_does_not_break_the_back_off(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        house.upstream.plan(URL, Plan(before=DOWN))
        house.clock.pass_time(301)
        await house.page()
        assert verdict(await house.page(refresh=True)) is Verdict.STALE
        assert len(house.upstream.requests) == 2


async def test_a_success_ends_the_back_off(root: Path) -> None:
    async with House(root) as house:
        await filled(house)
        house.upstream.plan(URL, Plan(before=DOWN), Plan(before=DOWN), confirms, Plan(before=DOWN))
        for seconds in (301, 6, 11):
            house.clock.pass_time(seconds)
            await house.page()
        house.clock.pass_time(301)
        await house.page()
        house.clock.pass_time(6)  # the first pause again, not the third
        before = len(house.upstream.requests)
        await house.page()
        assert len(house.upstream.requests) == before + 1


async def test_a_copy_is_not_served_for_longer_than_stale_for(root: Path) -> None:
    async with House(root, policy=Policy(stale_for=1000.0)) as house:
        await filled(house)
        house.upstream.plan(URL, Plan(before=DOWN))
        house.clock.pass_time(1299)
        assert verdict(await house.page()) is Verdict.STALE
        house.clock.pass_time(2)
        with pytest.raises(UpstreamTimeout):
            await house.page()


@pytest.mark.parametrize("status", [404, 410])
async def test_a_project_that_is_gone_is_dropped_and_the_absence_remembered(root: Path, status: int) -> None:
    async with House(root) as house:
        await filled(house)
        house.upstream.plan(URL, Plan(status=status))
        house.clock.pass_time(301)
        for _ in range(3):
            with pytest.raises(NotFound):
                await house.page()
        assert len(house.upstream.requests) == 2
        assert files_below(root) == set()
        assert house.catalogue.get(house.index.key("simple/demo.page")) is None
        house.upstream.plan(URL, Plan(before=DOWN))
        house.clock.pass_time(61)
        with pytest.raises(UpstreamTimeout):
            await house.page()


async def test_a_dropped_page_does_not_come_back_from_a_slow_read(root: Path) -> None:
    async with House(root, memory=0) as house:
        await filled(house)
        entry, body = await house.shelf.read_page(house.index.key("simple/demo.page")) or (None, b"")
        assert entry is not None
        assert body == OLD
        reading = asyncio.create_task(house.shelf.read_page(entry.key))
        await asyncio.sleep(0)
        await house.shelf.forget(entry.key)
        assert await reading is None
