"""The shared store stays within its limit, and takes back what it has lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.files import Want
from cheesebox.engines import ObjectName
from cheesebox.errors import EngineError
from tests.cache.house import DEMO, hashed_path, url_of
from tests.commons.test_documents import FIRST, serve, version
from tests.commons.town import Town, until

if TYPE_CHECKING:
    from pathlib import Path

    from cheesebox.simple.paths import FilePath
    from tests.commons.town import Node

HOUR = 3600.0


def body_of(number: int) -> bytes:
    return bytes([number]) * 100_000


async def fill(town: Town, node: Node, count: int) -> list[FilePath]:
    """Share files of 100 kB, an hour after each other."""
    paths = []
    for number in range(count):
        path = hashed_path(body_of(number), f"demo-{number}.tar.gz")
        town.upstream.serve(url_of(path), body_of(number))
        await node.house.read(path)
        await node.quiet()
        paths.append(path)
        town.clock.pass_time(HOUR)
    return paths


def kept(town: Town) -> set[str]:
    return {key.rpartition("/")[2] for key in town.state.kept}


async def test_the_longest_unused_go_until_the_rest_fits(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        paths = await fill(town, a, 5)
        await a.house.read(paths[0])
        await a.uses.tell()
        keeping = a.keeping(max_size=300_000)
        await keeping.work()
        assert kept(town) == {"demo-0.tar.gz", "demo-3.tar.gz", "demo-4.tar.gz"}
        told = keeping.statistics()
        assert (told.evicted, told.evicted_bytes, told.is_leading) == (2, 200_000, True)
        assert len(town.objects.bodies) == 5, "somebody may be reading them"


async def test_what_nobody_has_used_for_long_goes_without_a_limit(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        await fill(town, a, 5)
        await a.keeping(inactive=3 * HOUR).work()
        assert kept(town) == {"demo-2.tar.gz", "demo-3.tar.gz", "demo-4.tar.gz"}


async def test_only_one_node_works_at_a_time(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        await fill(town, a, 3)
        first, second = a.keeping(max_size=1 << 30), b.keeping(max_size=1)
        await first.work()
        await second.work()
        assert len(town.state.kept) == 3
        assert (first.statistics().is_leading, second.statistics().is_leading) == (True, False)
        town.clock.pass_time(31)
        await second.work()
        assert not town.state.kept
        assert second.statistics().is_leading


async def test_garbage_goes_only_when_its_grace_is_over(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        await fill(town, a, 2)
        keeping = a.keeping(max_size=100_000)
        await keeping.work()
        town.clock.pass_time(town.state.grace - 1)
        await keeping.work()
        assert len(town.objects.bodies) == 2
        town.clock.pass_time(1)
        await keeping.work()
        assert len(town.objects.bodies) == 1
        assert not town.state.waste
        assert keeping.statistics().swept == 1


async def test_garbage_that_the_storage_does_not_remove_stays_garbage(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        await fill(town, a, 2)
        keeping = a.keeping(max_size=100_000)
        await keeping.work()
        town.clock.pass_time(town.state.grace)
        town.objects.down = True
        with pytest.raises(EngineError):
            await keeping.work()
        town.objects.down = False
        town.clock.pass_time(1)
        await keeping.work()
        assert len(town.objects.bodies) == 1


async def test_who_reads_an_evicted_object_gets_all_of_it(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        (path,) = await fill(town, a, 1)
        opened = await b.house.files.open(path, Want.REST)
        stream = opened.stream(0, None)
        first = await anext(stream)
        await a.keeping(max_size=1).work()
        assert not town.state.kept
        assert first + b"".join([chunk async for chunk in stream]) == body_of(0)
        opened.close()
        assert len(town.upstream.requests) == 1


# ── walking the storage


async def test_files_of_a_register_that_lost_its_data_are_taken_over(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        (path,) = await fill(town, a, 1)
        town.state.lose_everything()
        keeping = b.keeping()
        await keeping.work()
        assert keeping.statistics().adopted == 1
        assert await b.house.read(path) == body_of(0)
        assert len(town.upstream.requests) == 1
        assert b.counts.brought == 1


async def test_a_file_that_was_taken_over_and_is_not_what_its_name_says_is_fetched_anew(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        (path,) = await fill(town, a, 1)
        town.damage(a.house.key(path), b"other" * 20_000)
        town.state.lose_everything()
        await b.keeping().work()
        with pytest.raises(Exception, match="digest"):
            await b.house.read(path)
        await b.quiet()
        assert await b.house.read(path) == body_of(0)


async def test_pages_without_a_record_go_when_they_are_an_hour_old(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        serve(town, FIRST, '"1"')
        await a.page()
        await a.quiet()
        town.state.lose_everything()
        keeping = a.keeping()
        await keeping.work()
        assert len(town.objects.bodies) == 1
        town.clock.pass_time(24 * HOUR)
        await keeping.work()
        assert not town.objects.bodies
        assert keeping.statistics().orphans == 1
        assert await version(b) == "1.0"


async def test_what_a_node_uploaded_and_never_published_goes_after_an_hour(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        serve(town, FIRST, '"1"')
        await a.page()
        await a.quiet()
        standing = town.named(a.house.pages.key(DEMO))
        old = ObjectName(standing.rpartition(".")[0] + ".0")
        town.objects.bodies[old], town.objects.stored_at[old] = FIRST, town.clock()
        keeping = a.keeping()
        await keeping.work()
        assert set(town.objects.bodies) == {standing, old}
        town.clock.pass_time(24 * HOUR)
        await keeping.work()
        assert set(town.objects.bodies) == {standing}


async def test_objects_of_others_below_the_same_prefix_stay(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        name = ObjectName("backups/2026.tar")
        town.objects.bodies[name], town.objects.stored_at[name] = b"x", 0.0
        await a.keeping().work()
        assert name in town.objects.bodies


def walks(town: Town) -> int:
    return [name for name, _ in town.objects.asked].count("walk")


async def test_the_storage_is_walked_once_a_day_and_when_the_register_began_anew(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        keeping = a.keeping()
        await keeping.work()
        await keeping.work()
        assert walks(town) == 1
        town.clock.pass_time(23 * HOUR)
        await b.keeping().work()
        assert walks(town) == 1
        town.clock.pass_time(2 * HOUR)
        await keeping.work()
        assert walks(town) == 2
        town.state.lose_everything()
        await keeping.work()
        assert walks(town) == 3


async def test_keeping_goes_on_through_failures_of_the_register(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        keeping = a.keeping(every=0.001)
        town.state.down = True
        a.house.tasks.start(keeping.run(), "keep")
        await until(lambda: a.commons.register_health.trouble)
        assert not keeping.statistics().is_leading
        town.state.down = False
        town.clock.pass_time(1)
        await until(lambda: keeping.statistics().is_leading)


async def test_a_purged_file_is_not_taken_over_again(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        (path,) = await fill(town, a, 1)
        await a.purge.remove([a.house.key(path)])
        await a.keeping().work()
        assert not town.state.kept
