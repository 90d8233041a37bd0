"""Pages that are older than what is known, broken, coded or too large."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.freshness import Verdict
from cheesebox.errors import (
    UpstreamBroken,
)
from tests.cache.demo_page import DAY, DOWN, KEY, NEW, OLD, URL, filled, is_new, verdict
from tests.cache.fakes import JSON, Plan, files_below, gzipped, page_plan
from tests.cache.house import House

if TYPE_CHECKING:
    from pathlib import Path


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
