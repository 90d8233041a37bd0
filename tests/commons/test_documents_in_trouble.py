"""Pages that nodes share while an engine fails, or the node that asks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.cache.fakes import JSON, Gate, Plan, page_plan
from tests.cache.house import DEMO
from tests.commons.demo_page import DOWN, FIRST, SECOND, URL, serve, version
from tests.commons.town import LEASE, PATIENCE, Town, until

if TYPE_CHECKING:
    from pathlib import Path


async def test_nodes_without_a_register_go_on_by_themselves_until_it_is_back(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        serve(town, FIRST, '"1"')
        town.state.down = True
        assert [await version(a), await version(b)] == ["1.0", "1.0"]
        assert len(town.upstream.requests) == 2
        told = a.commons.statistics().register
        assert told.trouble == "the register is down"
        assert told.failures >= 1
        town.state.down = False
        town.clock.pass_time(301)
        await a.page()
        await a.quiet()
        await b.page()
        assert len(town.upstream.requests) == 3
        assert a.commons.statistics().register.trouble == ""


async def test_nodes_without_a_storage_go_on_by_themselves_until_it_is_back(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        serve(town, FIRST, '"1"')
        town.objects.down = True
        assert await version(a) == "1.0"
        await a.quiet()
        assert a.commons.statistics().storage.trouble == "the object storage is down"
        assert not town.state.leases
        assert await version(b) == "1.0"
        await b.quiet()
        assert len(town.upstream.requests) == 2
        town.objects.down = False
        town.clock.pass_time(301)
        await a.page()
        await a.quiet()
        await b.page()
        assert len(town.upstream.requests) == 3
        assert a.commons.statistics().storage.trouble == ""


async def test_the_storage_failing_as_a_shared_page_is_read_costs_one_request(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        serve(town, FIRST, '"1"')
        await a.page()
        await a.quiet()
        town.objects.down = True
        assert await version(b) == "1.0"
        assert len(town.upstream.requests) == 2
        assert town.state.kept, "nothing says that the object is gone"


async def test_when_the_asking_node_dies_another_takes_over(root: Path) -> None:
    gate = Gate()
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        town.upstream.plan(URL, Plan([gate, FIRST], headers={"Content-Type": JSON}), page_plan(FIRST))
        first = asyncio.create_task(a.page())
        await gate.reached.wait()
        second = asyncio.create_task(b.page())
        await until(lambda: town.state.asked.count("claim") >= 2)
        await a.die()
        with pytest.raises(Exception, match="shutting down"):
            await first
        assert not second.done()
        town.clock.pass_time(LEASE + 0.1)
        assert b"demo-1.0" in await second
        assert len(town.upstream.requests) == 2


async def test_a_node_that_stops_lets_another_take_over_at_once(root: Path) -> None:
    gate = Gate()
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        town.upstream.plan(URL, Plan([gate, FIRST], headers={"Content-Type": JSON}), page_plan(FIRST))
        first = asyncio.create_task(a.page())
        await gate.reached.wait()
        second = asyncio.create_task(b.page())
        await until(lambda: town.state.asked.count("claim") >= 2)
        await a.house.tasks.close()
        await a.commons.close()
        assert b"demo-1.0" in await second, "no time has passed"
        with pytest.raises(Exception, match="shutting down"):
            await first


async def test_who_waits_for_too_long_asks_by_himself_and_publishes_nothing(root: Path) -> None:
    gate = Gate()
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        town.upstream.plan(URL, Plan([gate, FIRST], headers={"Content-Type": JSON}), page_plan(SECOND))
        first = asyncio.create_task(a.page())
        await gate.reached.wait()
        second = asyncio.create_task(b.page())
        await until(lambda: town.state.asked.count("claim") >= 2)
        for _ in range(4):  # the first renews all the time
            town.clock.pass_time(PATIENCE / 3)
            (lease,) = town.state.leases.values()
            lease.until = town.clock() + LEASE
        assert b"demo-2.0" in await second
        await b.quiet()
        assert b.counts.alone == 1
        assert not town.state.kept
        gate.opened.set()
        await first


async def test_what_a_paused_node_publishes_late_is_refused_and_becomes_garbage(root: Path) -> None:
    async with Town(root) as town:
        a, b, c = await town.nodes("a", "b", "c")
        key = a.house.pages.key(DEMO)
        gate = Gate()
        old = Plan([gate, FIRST], headers={"Content-Type": JSON, "ETag": '"1"'})
        town.upstream.plan(URL, old, page_plan(SECOND, etag='"2"'))
        late = asyncio.create_task(a.page())
        await gate.reached.wait()
        town.clock.pass_time(LEASE + 1)
        assert await version(b) == "2.0"
        await b.quiet()
        gate.opened.set()
        await late
        await a.quiet()
        assert a.counts.refused == 1
        assert [name for name in town.objects.bodies if name != town.named(key)] == list(town.state.waste)
        assert await version(c) == "2.0"
        town.clock.pass_time(301)
        town.upstream.plan(
            URL, lambda request: Plan(status=304) if request.headers["If-None-Match"] == '"2"' else DOWN
        )
        assert await version(a) == "2.0"
