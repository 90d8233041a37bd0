"""The limits of the store: what goes when there is no room, and what an admission costs."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cheesebox.cache.eviction import Limits
from cheesebox.errors import StoreFull
from cheesebox.ports import Entry, Key, Kind
from tests.cache.fakes import Plan, files_below, parts_below
from tests.cache.house import House, hashed_path, url_of
from tests.cache.stored import assert_in_step, bodies, bytes_on_disk, fetch_all, is_stored

DAY = 86400.0


def deleted_but_open(root: Path) -> list[str]:
    """Give the files below the root that have no name any more, and still take room."""
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [link for link in links if link.startswith(str(root)) and link.endswith("(deleted)")]


async def test_the_least_recently_used_file_goes_first(root: Path) -> None:
    first, second, third, fourth = bodies(4)
    async with House(root, limits=Limits(max_size=300_000)) as house:
        await fetch_all(house, [first, second, third])
        await house.read(hashed_path(first))
        await fetch_all(house, [fourth])
        assert [is_stored(house, content) for content in (first, second, third, fourth)] == [
            True,
            False,
            True,
            True,
        ]
        assert house.catalogue.totals().size == 300_000
        assert bytes_on_disk(root) == 300_000
        assert house.room.statistics().evicted_entries == 1
        assert house.room.statistics().evicted_bytes == 100_000


async def test_the_order_of_use_decides_after_a_restart_too(root: Path) -> None:
    first, second, third = bodies(3)
    async with House(root) as house:
        await fetch_all(house, [first, second])
        await house.read(hashed_path(first))
        now = house.clock.now
    async with House(root, limits=Limits(max_size=200_000)) as house:
        house.clock.now = now + 1
        await fetch_all(house, [third])
        assert [is_stored(house, content) for content in (first, second, third)] == [True, False, True]


async def test_max_entries_is_kept(root: Path) -> None:
    async with House(root, limits=Limits(max_size=1 << 30, max_entries=2)) as house:
        await fetch_all(house, bodies(5))
        assert house.catalogue.totals().entries == 2


async def test_min_free_is_kept(root: Path) -> None:
    contents = bodies(3)
    limits = Limits(max_size=1 << 30, min_free=1_000_000)
    async with House(root, limits=limits, capacity=1_250_000) as house:
        await fetch_all(house, contents)
        assert [is_stored(house, content) for content in contents] == [False, True, True]


async def test_a_file_too_large_for_the_limits_evicts_nothing(root: Path) -> None:
    small = bodies(2)
    async with House(root, limits=Limits(max_size=250_000)) as house:
        await fetch_all(house, small)
        await fetch_all(house, [random.Random(9).randbytes(250_001)])
        assert all(is_stored(house, content) for content in small)


async def test_a_file_of_untold_length_that_grows_too_large_evicts_no_more_than_can_help(root: Path) -> None:
    large = random.Random(9).randbytes(400_000)
    async with House(root, limits=Limits(max_size=300_000)) as house:
        steps = [large[start : start + 50_000] for start in range(0, len(large), 50_000)]
        house.upstream.plan(url_of(hashed_path(large)), Plan(steps), lambda _: Plan(steps))
        assert await house.read(hashed_path(large)) == large
        await house.quiet()
        assert bytes_on_disk(root) == 0
        assert house.room.statistics().reserved == 0


async def test_many_downloads_at_once_never_exceed_max_size_on_disk(root: Path) -> None:
    contents = bodies(24, 150_000)
    peaks: list[int] = []
    async with House(root, limits=Limits(max_size=1_000_000)) as house:
        for content in contents:
            steps = [content[start : start + 30_000] for start in range(0, len(content), 30_000)]
            headers = {"Content-Length": str(len(content))}
            house.upstream.plan(url_of(hashed_path(content)), Plan(steps, headers=headers))

        async def watch() -> None:
            while True:
                peaks.append(await asyncio.to_thread(_measured, house, root))
                await asyncio.sleep(0)

        watcher = asyncio.create_task(watch())
        got = await asyncio.gather(*(house.read(hashed_path(content)) for content in contents))
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        await house.quiet()
        assert got == contents
        assert max(peaks) <= 1_000_000
        assert house.catalogue.totals().size == bytes_on_disk(root)
        assert {entry.key for entry in house.catalogue.entries()} == files_below(root)


def _measured(house: House, root: Path) -> int:
    """Sum what lies on disk, while no name changes hands."""
    with house.room.names:
        kept = sum((root / key).stat().st_size for key in files_below(root))
        growing = 0
        for part in parts_below(root):
            with suppress(FileNotFoundError):  # the part of a reader that has left
                growing += part.stat().st_size
        return kept + growing


async def test_an_admission_costs_the_same_however_many_entries_there_are(root: Path) -> None:
    async with House(root, limits=Limits(max_size=1 << 40)) as house:
        steps: list[int] = []

        async def cost() -> int:
            count = 0

            def step() -> int:
                nonlocal count
                count += 1
                return 0

            house.catalogue._writer.set_progress_handler(step, 100)
            reservation = house.room.reserve()
            await reservation.extend(1000)
            reservation.release()
            house.catalogue._writer.set_progress_handler(None, 0)
            return count

        for number in (10, 3000):
            with house.catalogue._write() as db:
                db.executemany(
                    "INSERT OR REPLACE INTO entries "
                    "VALUES (?, 'file', 10, '', '', '', '', '', '', 0, 0, 0, ?, 0, '', 0)",
                    [(f"pypi/{each}", each) for each in range(number)],
                )
            steps.append(await cost())
        assert steps[1] <= steps[0] + 1


async def test_what_is_unused_for_long_is_swept(root: Path) -> None:
    old, young = bodies(2)
    async with House(root, limits=Limits(max_size=1 << 30, inactive=30 * DAY)) as house:
        await fetch_all(house, [old])
        house.clock.pass_time(29 * DAY)
        await fetch_all(house, [young])
        assert await house.room.sweep() == 0
        house.clock.pass_time(1 * DAY)
        assert await house.room.sweep() == 1
        assert [is_stored(house, content) for content in (old, young)] == [False, True]


async def test_lower_limits_than_before_are_enforced_by_the_sweep(root: Path) -> None:
    contents = bodies(4)
    async with House(root) as house:
        await fetch_all(house, contents)
        now = house.clock.now
    async with House(root, limits=Limits(max_size=250_000)) as house:
        house.clock.now = now
        assert await house.room.sweep() == 2
        assert [is_stored(house, content) for content in contents] == [False, False, True, True]


async def test_no_handle_of_an_evicted_file_is_kept(root: Path) -> None:
    contents = bodies(2)
    async with House(root, limits=Limits(max_size=150_000)) as house:
        await fetch_all(house, contents[:1])
        await house.read(hashed_path(contents[0]))
        await fetch_all(house, contents[1:])
        assert deleted_but_open(root) == []


async def test_a_disk_that_others_filled_does_not_empty_the_cache_in_vain(root: Path) -> None:
    contents = bodies(2)
    async with House(root, limits=Limits(max_size=1 << 30, min_free=10_000_000), capacity=1 << 40) as house:
        await fetch_all(house, contents)
        house.disk.capacity = 0
        assert await house.room.sweep() == 0
        assert all(is_stored(house, content) for content in contents)


async def test_reservations_that_do_not_fit_together_are_refused(root: Path) -> None:
    async with House(root, limits=Limits(max_size=1000)) as house:
        first, second = house.room.reserve(), house.room.reserve()
        await first.extend(600)
        with pytest.raises(StoreFull):
            await second.extend(600)
        first.release()
        first.release()
        await second.extend(600)
        second.release()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400)), max_size=15))
def test_any_sequence_of_writes_keeps_the_limit_and_stays_in_step(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    root = tmp_path_factory.mktemp("cache")

    async def write_all() -> None:
        async with House(root, limits=Limits(max_size=1000, max_entries=4)) as house:
            for number, size in steps:
                entry = Entry(
                    Key(f"pypi/simple/{number}.page"), Kind.PAGE, 0, "", "", last_used=house.clock()
                )
                house.clock.pass_time(1)
                await house.shelf.write_page(entry, b"x" * size)
                assert house.catalogue.totals().size <= 1000
                assert house.catalogue.totals().entries <= 4
                assert_in_step(house, root)

    asyncio.run(write_all())
