"""Slices and heads of files that are not stored: relayed, waited for, or a reason to download."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from cheesebox.cache.files import Want
from cheesebox.cache.freshness import Verdict
from tests.cache.demo_wheel import BODY, DROP, PATH, URL
from tests.cache.fakes import (
    Gate,
    Plan,
    Request,
    whole_or_part,
)
from tests.cache.house import House, drain, hashed_path, url_of

if TYPE_CHECKING:
    from pathlib import Path


LARGE = random.Random(3).randbytes(4_000_000)
LARGE_PATH = hashed_path(LARGE)
LARGE_URL = url_of(LARGE_PATH)


async def test_a_cold_slice_is_relayed_and_starts_no_download(root: Path) -> None:
    async with House(root) as house:
        house.upstream.serve(LARGE_URL, LARGE)
        opened = await house.files.open(LARGE_PATH, Want.SLICE)
        assert opened.verdict is Verdict.BYPASS
        assert await drain(opened, 3_900_000, 3_900_100) == LARGE[3_900_000:3_900_100]
        assert house.downloads.under_way() == ()
        assert [request.method for request in house.upstream.requests] == ["HEAD", "GET"]
        assert house.upstream.requests[1].headers["Range"] == "bytes=3900000-3900099"


async def test_a_slice_of_a_small_file_downloads_the_file(root: Path) -> None:
    async with House(root) as house:
        house.upstream.serve(URL, BODY)
        assert await house.read(PATH, 10, 20, Want.SLICE) == BODY[10:20]
        await house.quiet()
        assert house.catalogue.get(house.key(PATH)) is not None


async def test_a_slice_far_ahead_of_a_download_does_not_wait_for_it(root: Path) -> None:
    gate = Gate()
    headers = {"Content-Length": str(len(LARGE)), "ETag": '"v1"'}
    async with House(root) as house:
        house.upstream.plan(
            LARGE_URL,
            Plan([LARGE[:200_000], gate, LARGE[200_000:]], headers=headers),
            lambda request: whole_or_part(LARGE, request),
        )
        whole = asyncio.create_task(house.read(LARGE_PATH))
        await gate.reached.wait()
        assert await house.read(LARGE_PATH, 3_990_000, 4_000_000, Want.SLICE) == LARGE[-10_000:]
        near = asyncio.create_task(house.read(LARGE_PATH, 300_000, 300_500, Want.SLICE))
        gate.opened.set()
        assert await near == LARGE[300_000:300_500]
        assert await whole == LARGE
        assert len(house.upstream.requests) == 2


async def test_heads_of_a_cold_file_are_asked_once(root: Path) -> None:
    async with House(root) as house:
        house.upstream.serve(URL, BODY)
        heads = await asyncio.gather(*(house.files.open(PATH, Want.HEAD) for _ in range(10)))
        assert {opened.head.size for opened in heads} == {len(BODY)}
        await house.files.open(PATH, Want.HEAD)
        assert len(house.upstream.requests) == 1
        house.clock.pass_time(301)
        await house.files.open(PATH, Want.HEAD)
        assert len(house.upstream.requests) == 2


async def test_a_host_that_refuses_head_is_asked_for_one_byte(root: Path) -> None:
    def no_head(request: Request) -> Plan:
        return Plan(status=405) if request.method == "HEAD" else whole_or_part(BODY, request)

    async with House(root) as house:
        house.upstream.plan(URL, no_head)
        opened = await house.files.open(PATH, Want.HEAD)
        assert opened.head.size == len(BODY)


async def test_a_relayed_slice_outlives_drops_and_server_trouble(root: Path) -> None:
    headers = {"Content-Range": f"bytes 2000000-2999999/{len(LARGE)}", "Content-Length": "1000000"}
    async with House(root) as house:
        house.upstream.plan(
            LARGE_URL,
            lambda request: whole_or_part(LARGE, request),
            Plan([LARGE[2_000_000:2_300_000], DROP], 206, headers),
            Plan(status=503),
            lambda request: whole_or_part(LARGE, request),
        )
        assert await house.read(LARGE_PATH, 2_000_000, 3_000_000, Want.SLICE) == LARGE[2_000_000:3_000_000]


async def test_a_slice_of_a_large_file_comes_from_an_upstream_without_ranges(root: Path) -> None:
    async with House(root) as house:
        house.upstream.serve(LARGE_URL, LARGE, ranges=False)
        assert await house.read(LARGE_PATH, 3_900_000, 3_900_100, Want.SLICE) == LARGE[3_900_000:3_900_100]
