"""The freshness table: what a page's copy is worth, by the state of the upstream and the time passed."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.eviction import Limits
from cheesebox.cache.freshness import Policy, Verdict
from cheesebox.errors import (
    NotFound,
    StoreError,
    UpstreamBroken,
    UpstreamStatus,
    UpstreamTimeout,
)
from cheesebox.simple.negotiation import Coding, Format
from tests.cache.fakes import JSON, PAGES, Gate, Plan, Request, files_below, gzipped, json_page, page_plan
from tests.cache.house import DEMO, House, hashed_path, listed

if TYPE_CHECKING:
    from pathlib import Path

    from cheesebox.cache.pages import PageAnswer

URL = f"{PAGES}demo/"
KEY = "pypi/simple/demo.page"
OLD = json_page()
NEW = json_page(listed(hashed_path(b"new"), b"new"))
DAY = 86400.0
DOWN = UpstreamTimeout("no answer")


def verdict(answer: PageAnswer) -> Verdict:
    return answer.answered.verdict


def is_new(answer: PageAnswer) -> bool:
    return b"demo-1.0-py3" in answer.representation.body


def confirms(request: Request) -> Plan:
    """Answer like an index whose page has not changed."""
    if request.headers.get("If-None-Match") == '"p1"':
        return Plan(status=304, headers={"ETag": '"p1"'})
    return page_plan(OLD)


async def filled(house: House, body: bytes = OLD, serial: int | None = None) -> None:
    """Fetch the page for the first time."""
    house.upstream.plan(URL, page_plan(body, serial=serial))
    assert verdict(await house.page()) is Verdict.MISS


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


# ── serials


async def test_an_older_page_is_refused_for_a_day(root: Path) -> None:
    async with House(root) as house:
        await filled(house, NEW, serial=100)
        house.upstream.plan(URL, page_plan(OLD, serial=99, etag='"p0"'))
        house.clock.pass_time(301)
        answer = await house.page()
        assert verdict(answer) is Verdict.STALE
        assert is_new(answer)
        house.clock.pass_time(DAY)
        answer = await house.page()
        assert verdict(answer) is Verdict.EXPIRED
        assert not is_new(answer)


async def test_a_confirmation_with_a_newer_serial_is_not_believed(root: Path) -> None:
    async with House(root) as house:
        await filled(house, OLD, serial=100)
        newer = Plan(status=304, headers={"X-PyPI-Last-Serial": "101"})
        house.upstream.plan(URL, newer, page_plan(NEW, serial=101, etag='"p2"'))
        house.clock.pass_time(301)
        answer = await house.page()
        assert verdict(answer) is Verdict.EXPIRED
        assert is_new(answer)
        assert "If-None-Match" not in house.upstream.requests[-1].headers


async def test_after_a_change_of_the_upstream_the_old_copy_is_only_a_stale_one(root: Path) -> None:
    async with House(root) as house:
        await filled(house, NEW, serial=100)
    other = "https://other.example/simple/"
    async with House(root, upstream_url=other) as house:
        house.upstream.plan(f"{other}demo/", Plan(before=DOWN), page_plan(OLD, serial=5))
        answer = await house.page()
        assert verdict(answer) is Verdict.STALE
        assert is_new(answer)
        assert answer.answered.max_age == 0
        house.clock.pass_time(10)
        answer = await house.page()
        assert verdict(answer) is Verdict.EXPIRED
        assert not is_new(answer)
        assert "If-None-Match" not in house.upstream.requests[-1].headers
        assert verdict(await house.page()) is Verdict.HIT


# ── bad answers

BOMB = gzip.compress(b" " * 60_000_000)
BROKEN = {
    "not JSON": page_plan(b"{not json"),
    "no page": page_plan(b'{"meta": {"api-version": "1.0"}}'),
    "another major version": page_plan(b'{"meta": {"api-version": "2.0"}, "files": []}'),
    "a strange type": page_plan(b"hello", headers={"Content-Type": "text/plain"}),
    "wrong charset": page_plan(b'{"files": [], "name": "\xff\xfe"}'),
    "truncated gzip": Plan(
        [gzip.compress(NEW)[:-9]], headers={"Content-Type": JSON, "Content-Encoding": "gzip"}
    ),
    "no gzip": Plan([NEW], headers={"Content-Type": JSON, "Content-Encoding": "gzip"}),
    "unknown coding": Plan([NEW], headers={"Content-Type": JSON, "Content-Encoding": "br"}),
    "gzip bomb": Plan([BOMB], headers={"Content-Type": JSON, "Content-Encoding": "gzip"}),
    "oversize": Plan([b" " * 3_000_000, b" " * 3_000_000], headers={"Content-Type": JSON}),
    "wrong length": Plan([NEW], headers={"Content-Type": JSON, "Content-Length": "5"}),
    "cut": Plan([NEW[:20], UpstreamBroken("cut")], headers={"Content-Type": JSON}),
}


@pytest.mark.parametrize("plan", BROKEN.values(), ids=BROKEN)
async def test_a_broken_answer_leaves_the_copy_and_stores_nothing(root: Path, plan: Plan) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, plan)
        with pytest.raises(UpstreamBroken) as raised:
            await house.page()
        assert raised.value.status == 502
        assert files_below(root) == set()
        await filled(house)
        house.upstream.plan(URL, plan)
        house.clock.pass_time(301)
        assert verdict(await house.page()) is Verdict.STALE
        assert files_below(root) == {KEY}


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
async def test_a_coded_page_is_decoded(root: Path, coding: str) -> None:
    async with House(root) as house:
        plan = gzipped(NEW)
        plan.headers["Content-Encoding"] = coding
        house.upstream.plan(URL, plan)
        assert is_new(await house.page())


async def test_a_header_with_thousands_of_digits_is_not_read(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(
            URL, page_plan(OLD, headers={"X-PyPI-Last-Serial": "9" * 5000, "Content-Length": "9" * 5000})
        )
        answer = await house.page()
        assert answer.answered.copy.entry.serial is None


# ── memory and disk


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
