"""Downloads and their readers: one GET, first bytes early, never a wrong byte, whatever the upstream does."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.downloads import Download
from cheesebox.cache.eviction import Limits
from cheesebox.cache.files import Want
from cheesebox.cache.freshness import Verdict
from cheesebox.errors import (
    BodyChanged,
    CheeseboxError,
    DigestMismatch,
    NotFound,
    UpstreamStatus,
    UpstreamUnreachable,
)
from tests.cache.demo_wheel import BODY, DROP, LENGTH, PATH, SMALL, URL, rest_of
from tests.cache.fakes import (
    Gate,
    Plan,
    Request,
    files_below,
    open_handles,
    parts_below,
    whole_or_part,
)
from tests.cache.house import House, drain, hashed_path, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from cheesebox.cache.origins import Origin


async def test_fifty_readers_of_one_cold_file_share_one_get_and_read_before_its_end(root: Path) -> None:
    gate = Gate()
    async with House(root) as house:
        house.upstream.plan(URL, Plan([BODY[:300_000], gate, BODY[300_000:]], headers=LENGTH))
        opened = await asyncio.gather(*(house.files.open(PATH, Want.REST) for _ in range(50)))
        streams = [file.stream(0, None) for file in opened]
        firsts = await asyncio.gather(*(anext(stream) for stream in streams))
        assert all(firsts)
        assert not gate.opened.is_set()
        gate.opened.set()
        rests = await asyncio.gather(*(rest_of(stream) for stream in streams))
        for file in opened:
            file.close()
        assert {first + rest for first, rest in zip(firsts, rests, strict=True)} == {BODY}
        assert len(house.upstream.requests) == 1
        assert [file.collapsed for file in opened].count(False) == 1


async def test_a_reader_that_leaves_does_not_end_the_download(root: Path) -> None:
    gate = Gate()
    async with House(root) as house:
        house.upstream.plan(URL, Plan([BODY[:300_000], gate, BODY[300_000:]], headers=LENGTH))
        reader = asyncio.create_task(house.read(PATH))
        await gate.reached.wait()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        gate.opened.set()
        assert await house.read(PATH) == BODY
        assert len(house.upstream.requests) == 1


async def test_a_reader_that_leaves_before_the_head_does_not_end_the_download(root: Path) -> None:
    gate = Gate()
    async with House(root) as house:
        house.upstream.plan(URL, Plan([BODY], headers=LENGTH, before=gate))
        reader = asyncio.create_task(house.read(PATH))
        await gate.reached.wait()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        gate.opened.set()
        assert await house.read(PATH) == BODY
        assert len(house.upstream.requests) == 1


async def test_the_second_reader_of_a_stored_file_asks_nobody(root: Path) -> None:
    async with House(root) as house:
        house.upstream.serve(URL, BODY)
        assert await house.read(PATH) == BODY
        opened = await house.files.open(PATH, Want.REST)
        assert opened.verdict is Verdict.HIT
        assert await drain(opened) == BODY
        assert len(house.upstream.requests) == 1


def cut_once(request: Request, *, etag: str = '"v1"', ranges: bool = True) -> Plan:
    """Drop the whole answer in mid-body; parts come whole."""
    return whole_or_part(BODY, request, etag=etag, ranges=ranges, steps=[BODY[:250_000], DROP])


async def test_a_drop_in_mid_body_is_resumed_with_the_strong_validator(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, cut_once)
        assert await house.read(PATH) == BODY
        first, second = house.upstream.requests
        assert "Range" not in first.headers
        assert second.headers["Range"] == "bytes=250000-"
        assert second.headers["If-Range"] == '"v1"'


async def test_a_weak_validator_is_not_sent_with_the_range(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, lambda request: cut_once(request, etag='W/"v1"'))
        assert await house.read(PATH) == BODY
        assert "If-Range" not in house.upstream.requests[1].headers


async def test_an_upstream_without_ranges_is_compared_and_goes_on(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, Plan([BODY[:250_000], DROP], headers=LENGTH), Plan([BODY], headers=LENGTH))
        assert await house.read(PATH) == BODY
        assert len(house.upstream.requests) == 2


async def test_a_whole_answer_of_other_bytes_cuts_the_readers_and_stores_nothing(root: Path) -> None:
    other = b"x" + BODY[1:]
    async with House(root) as house:
        house.upstream.plan(URL, Plan([BODY[:250_000], DROP], headers=LENGTH), Plan([other], headers=LENGTH))
        with pytest.raises(BodyChanged):
            await house.read(PATH)
        await house.quiet()
        assert files_below(root) == set()
        assert parts_below(root) == []


async def test_a_resumed_part_of_another_version_is_refused(root: Path) -> None:
    async with House(root) as house:
        part = {"Content-Range": f"bytes 250000-{len(BODY) - 1}/{len(BODY)}", "ETag": '"v2"'}
        house.upstream.plan(
            URL, Plan([BODY[:250_000], DROP], headers=LENGTH), Plan([BODY[250_000:]], 206, part)
        )
        with pytest.raises(BodyChanged):
            await house.read(PATH)


async def test_server_trouble_in_mid_body_is_waited_out(root: Path) -> None:
    def plans(request: Request) -> Plan:
        return whole_or_part(BODY, request)

    async with House(root) as house:
        house.upstream.plan(
            URL, Plan([BODY[:250_000], DROP], headers=LENGTH), Plan(status=503), Plan(before=DROP), plans
        )
        assert await house.read(PATH) == BODY
        assert len(house.upstream.requests) == 4


async def test_each_byte_of_progress_makes_the_download_patient_again(root: Path) -> None:
    cuts = [Plan([BODY[:100_000], DROP], headers=LENGTH)]
    for start in range(100_000, 390_000, 29_000):
        headers = {"Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}", "ETag": '"v1"'}
        cuts.append(Plan([BODY[start : start + 29_000], DROP], 206, headers))
    async with House(root) as house:
        house.upstream.plan(URL, *cuts, lambda request: whole_or_part(BODY, request))
        assert await house.read(PATH) == BODY


async def test_an_upstream_that_stays_away_ends_the_download_after_its_retries(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, Plan([BODY[:250_000], DROP], headers=LENGTH), Plan(before=DROP))
        with pytest.raises(UpstreamUnreachable):
            await house.read(PATH)
        await house.quiet()
        assert len(house.upstream.requests) == 4  # the first and three retries
        assert parts_below(root) == []


async def test_before_the_first_byte_a_failure_is_told_after_one_more_try(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, Plan(before=DROP))
        with pytest.raises(UpstreamUnreachable):
            await house.read(PATH)
        assert len(house.upstream.requests) == 2


@pytest.mark.parametrize("status", [401, 403, 416, 429])
async def test_a_refusal_is_told_at_once(root: Path, status: int) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, Plan(status=status))
        with pytest.raises(UpstreamStatus):
            await house.read(PATH)
        assert len(house.upstream.requests) == 1


async def test_a_missing_file_is_remembered_for_a_while(root: Path) -> None:
    async with House(root) as house:
        for _ in range(2):
            with pytest.raises(NotFound):
                await house.read(PATH)
        assert len(house.upstream.requests) == 1
        house.clock.pass_time(61)
        house.upstream.serve(URL, BODY)
        assert await house.read(PATH) == BODY


# ── a disk that takes no more


@pytest.mark.parametrize("room", [0, 1, 100_000, 380_000])
async def test_readers_get_right_bytes_when_the_disk_fills_up(root: Path, room: int) -> None:
    async with House(root, disk_room=room) as house:
        steps = [BODY[start : start + 50_000] for start in range(0, len(BODY), 50_000)]
        house.upstream.plan(URL, lambda request: whole_or_part(BODY, request, steps=steps))
        bodies = await asyncio.gather(*(house.read(PATH) for _ in range(5)))
        assert set(bodies) == {BODY}
        await house.quiet()
        assert files_below(root) == set()
        assert parts_below(root) == []


async def test_a_full_disk_and_an_upstream_without_ranges_still_give_right_bytes(root: Path) -> None:
    body = random.Random(2).randbytes(3_000_000)
    path = hashed_path(body)
    steps = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
    async with House(root, disk_room=2_500_000) as house:
        house.upstream.plan(url_of(path), lambda r: whole_or_part(body, r, ranges=False, steps=steps))
        assert await house.read(path) == body


async def test_a_file_that_does_not_fit_under_max_size_is_served_uncached(root: Path) -> None:
    async with House(root, limits=Limits(max_size=100_000)) as house:
        house.upstream.serve(URL, BODY)
        assert await house.read(PATH) == BODY
        await house.quiet()
        assert files_below(root) == set()
        assert house.room.statistics().reserved == 0


async def test_a_wrong_file_is_not_relayed_whole_when_the_disk_is_full(root: Path) -> None:
    async with House(root, limits=Limits(max_size=100_000)) as house:
        house.upstream.serve(URL, BODY[:-1] + b"!")
        with pytest.raises(DigestMismatch):
            await house.read(PATH)


async def test_a_small_file_is_served_when_the_disk_is_full(root: Path) -> None:
    path = hashed_path(SMALL)
    async with House(root, limits=Limits(max_size=100)) as house:
        house.upstream.serve(url_of(path), SMALL)
        assert await house.read(path) == SMALL


# ── ends and races


async def test_a_download_that_lands_between_two_looks_is_found_on_the_shelf(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with House(root) as house:
        house.upstream.serve(URL, BODY)
        adopt = house.adoption.adopt
        key = house.key(PATH)

        async def land_first(origin: Origin) -> bool:
            # Two readers come: the first has looked for an entry when the second's download lands.
            monkeypatch.undo()
            assert await house.read(PATH) == BODY
            await house.quiet()
            return await adopt(origin)

        monkeypatch.setattr(house.adoption, "adopt", land_first)
        opened = await house.files.open(PATH, Want.REST)
        assert opened.verdict is Verdict.HIT
        assert await drain(opened) == BODY
        assert len(house.upstream.requests) == 1
        assert house.catalogue.get(key) is not None


async def test_a_file_evicted_while_it_is_read_is_read_to_its_end(root: Path) -> None:
    async with House(root) as house:
        house.upstream.serve(URL, BODY)
        await house.read(PATH)
        opened = await house.files.open(PATH, Want.REST)
        stream = opened.stream(0, None)
        first = await anext(stream)
        await house.shelf.forget(house.key(PATH))
        assert files_below(root) == set()
        assert first + await rest_of(stream) == BODY
        opened.close()


async def test_shutdown_wakes_readers_and_leaves_nothing_behind(root: Path) -> None:
    fds = open_handles()
    gate = Gate()
    async with House(root) as house:
        house.upstream.plan(URL, Plan([BODY[:300_000], gate], headers=LENGTH))
        readers = [asyncio.create_task(house.read(PATH)) for _ in range(5)]
        await gate.reached.wait()
        await house.tasks.close()
        ends = await asyncio.gather(*readers, return_exceptions=True)
        assert all(isinstance(end, CheeseboxError) for end in ends)
        assert house.downloads.under_way() == ()
        assert house.room.statistics().reserved == 0
        assert parts_below(root) == []
        with pytest.raises(CheeseboxError):
            await house.read(PATH)
    assert len(asyncio.all_tasks()) == 1
    assert open_handles() == fds


async def test_an_unexpected_failure_wakes_the_readers(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with House(root) as house:
        house.upstream.serve(URL, BODY)
        monkeypatch.setattr(Download, "_finish", fail)
        with pytest.raises(CheeseboxError):
            await house.read(PATH)
        await house.quiet()
        assert house.room.statistics().reserved == 0
        assert parts_below(root) == []
