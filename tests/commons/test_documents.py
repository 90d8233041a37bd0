"""Documents of several nodes: whoever asks first asks for all, and nobody gets anything wrong or too old."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from cheesebox.cache.freshness import Policy, Verdict
from cheesebox.cache.lists import ListAnswer
from cheesebox.engines import Granted
from cheesebox.errors import NotFound, UpstreamError
from cheesebox.simple.negotiation import Coding, Format
from tests.cache.fakes import JSON, PAGES, Gate, Plan, page_plan
from tests.cache.house import DEMO
from tests.cache.test_lists import CountingRenderer, read
from tests.commons.demo_page import DOWN, FIRST, SECOND, URL, serve, version
from tests.commons.town import Town, until

if TYPE_CHECKING:
    from pathlib import Path

LISTED = msgspec.json.encode({"meta": {"api-version": "1.1"}, "projects": [{"name": "demo"}]})


async def test_what_one_node_has_asked_for_the_other_takes_over_with_its_age(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        serve(town, FIRST, '"1"')
        await a.page()
        await a.quiet()
        town.clock.pass_time(100)
        asked = len(town.upstream.requests)
        theirs, ours = await b.house.page(), await a.house.page()
        assert (asked, len(town.upstream.requests)) == (1, 1)
        assert theirs.representation.body == ours.representation.body
        assert theirs.answered.verdict is Verdict.HIT
        assert theirs.answered.max_age == ours.answered.max_age == 200
        assert theirs.answered.copy.entry.fetched_at == ours.answered.copy.entry.fetched_at
        town.clock.pass_time(199.9)
        assert (await b.house.page()).answered.verdict is Verdict.HIT
        town.clock.pass_time(0.2)
        assert (await b.house.page()).answered.verdict is Verdict.REVALIDATED
        await b.quiet()
        assert (await a.house.page()).answered.verdict is Verdict.REVALIDATED, "it has expired there as well"
        assert len(town.upstream.requests) == 2


async def test_nodes_that_ask_at_the_same_time_cause_one_request(root: Path) -> None:
    gate = Gate()
    async with Town(root) as town:
        nodes = await town.nodes("a", "b", "c")
        town.upstream.plan(URL, Plan([gate, FIRST], headers={"Content-Type": JSON, "ETag": '"1"'}))
        asking = [asyncio.create_task(node.page()) for node in nodes]
        await gate.reached.wait()
        await until(lambda: town.state.asked.count("claim") >= 3)
        gate.opened.set()
        assert len({await task for task in asking}) == 1
        assert len(town.upstream.requests) == 1


async def test_an_expired_page_is_revalidated_once_for_all(root: Path) -> None:
    async with Town(root) as town:
        nodes = await town.nodes("a", "b", "c")
        serve(town, FIRST, '"1"')
        for node in nodes:
            await node.page()
            await node.quiet()
        town.clock.pass_time(301)
        verdicts = []
        for node in nodes:
            verdicts.append((await node.house.page()).answered.verdict)
            await node.quiet()
        assert verdicts == [Verdict.REVALIDATED] * 3
        assert len(town.upstream.requests) == 2
        assert town.upstream.requests[-1].headers["If-None-Match"] == '"1"'
        assert [(await node.house.page()).answered.max_age for node in nodes] == [300] * 3
        assert len([name for name, _ in town.objects.asked if name == "put"]) == 1


async def test_a_changed_body_reaches_the_others_at_their_next_refresh(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        serve(town, FIRST, '"1"')
        assert [await version(a), await a.quiet(), await version(b)] == ["1.0", None, "1.0"]
        town.clock.pass_time(301)
        serve(town, SECOND, '"2"')
        assert await version(a) == "2.0"
        await a.quiet()
        assert await version(b) == "2.0"
        assert len(town.upstream.requests) == 2


async def test_an_empty_node_serves_the_shared_stale_copy_while_the_upstream_is_down(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        serve(town, FIRST, '"1"')
        await a.page()
        await a.quiet()
        town.clock.pass_time(3600)
        town.upstream.plan(URL, DOWN)
        answer = await b.house.page()
        assert answer.answered.verdict is Verdict.STALE
        assert answer.answered.max_age == 0
        await b.quiet()
        assert len(town.upstream.requests) == 2
        assert (await b.house.page()).answered.verdict is Verdict.STALE
        assert len(town.upstream.requests) == 2, "it is left alone while it is in trouble"
        assert not town.state.leases


async def test_without_a_shared_copy_a_dead_upstream_is_told_and_the_turn_given_back(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        town.upstream.plan(URL, DOWN)
        with pytest.raises(UpstreamError):
            await a.page()
        await a.quiet()
        assert not town.state.leases


async def test_what_no_node_may_serve_any_more_is_not_served_by_a_new_one(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b", policy=Policy(stale_for=1000.0))
        serve(town, FIRST, '"1"')
        await a.page()
        await a.quiet()
        town.clock.pass_time(1301)
        town.upstream.plan(URL, DOWN)
        with pytest.raises(UpstreamError):
            await b.page()


async def test_a_404_is_remembered_for_all_and_drops_the_record(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        serve(town, FIRST, '"1"')
        await a.page()
        await a.quiet()
        await b.page()
        town.clock.pass_time(301)
        town.upstream.plan(URL, Plan(status=404))
        for node in (a, b):
            with pytest.raises(NotFound):
                await node.page()
        assert len(town.upstream.requests) == 2
        assert not town.state.kept
        assert len(town.state.waste) == 1
        assert not b.house.documents.has(b.house.pages.key(DEMO))


async def test_a_404_that_another_node_has_found_is_not_remembered_for_twice_as_long(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        town.upstream.plan(URL, Plan(status=404))
        with pytest.raises(NotFound):
            await a.page()
        town.clock.pass_time(59)
        with pytest.raises(NotFound):
            await b.page()
        serve(town, FIRST, '"1"')
        town.clock.pass_time(10)
        assert await version(b) == "1.0"


async def test_a_client_that_wants_no_cache_asks_again_although_another_node_knows_a_404(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        town.upstream.plan(URL, Plan(status=404))
        with pytest.raises(NotFound):
            await a.page()
        serve(town, FIRST, '"1"')
        town.clock.pass_time(20)
        with pytest.raises(NotFound):
            await b.page()
        assert msgspec.json.decode(await b.page(refresh=True))["files"]


@pytest.mark.parametrize("age", [9, 20, 400])
async def test_no_cache_asks_only_if_nobody_has_validated_a_moment_ago(root: Path, age: int) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        serve(town, FIRST, '"1"')
        await b.page()
        await b.quiet()
        town.clock.pass_time(1000)
        await a.page()
        await a.quiet()
        town.clock.pass_time(age)
        assert len(town.upstream.requests) == 2
        await b.page(refresh=True)
        assert len(town.upstream.requests) == (2 if age < 10 else 3)


async def test_a_node_without_a_copy_heeds_no_cache_too(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        serve(town, FIRST, '"1"')
        await a.page()
        await a.quiet()
        town.clock.pass_time(200)
        serve(town, SECOND, '"2"')
        assert b"demo-2.0" in await b.page(refresh=True)


async def test_a_record_of_another_upstream_is_never_served_fresh(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        b = await town.node("b", upstream_url="https://other.example/simple/")
        serve(town, FIRST, '"1"')
        town.upstream.plan("https://other.example/simple/demo/", page_plan(SECOND, etag='"1"'))
        await a.page()
        await a.quiet()
        town.clock.pass_time(1)
        assert await version(b) == "2.0"
        assert "If-None-Match" not in town.upstream.requests[-1].headers
        await b.quiet()
        assert await version(a) == "1.0"


@pytest.mark.parametrize("body", [None, b"", b"other bytes"])
async def test_a_lost_or_damaged_object_is_fetched_anew_and_disowned(root: Path, body: bytes | None) -> None:
    async with Town(root) as town:
        a, b, c = await town.nodes("a", "b", "c")
        serve(town, FIRST, '"1"')
        await a.page()
        await a.quiet()
        key = a.house.pages.key(DEMO)
        bad = town.named(key)
        if body is None:
            del town.objects.bodies[bad]
        else:
            town.damage(key, body)
        assert await version(b) == "1.0"
        await b.quiet()
        assert town.named(key) != bad
        assert bad in town.state.waste
        assert await version(c) == "1.0"
        assert len(town.upstream.requests) == 2


async def test_a_damaged_object_is_not_published_again_when_its_bytes_come_again(root: Path) -> None:
    async with Town(root) as town:
        a, b, c = await town.nodes("a", "b", "c")
        serve(town, FIRST, '"1"')
        await a.page()
        await a.quiet()
        key = a.house.pages.key(DEMO)
        bad = town.named(key)
        town.damage(key, b"other bytes")
        town.clock.pass_time(301)
        assert await version(b) == "1.0"
        await b.quiet()
        assert town.named(key) != bad
        assert await version(c) == "1.0"
        assert len(town.upstream.requests) == 2


async def test_an_older_serial_is_refused_from_the_upstream_and_from_others(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        serve(town, SECOND, '"2"', serial=10)
        await a.page()
        await a.quiet()
        town.clock.pass_time(301)
        serve(town, FIRST, '"1"', serial=9)
        assert await version(b) == "2.0", "the shared copy is newer than what a lagging mirror gives"
        town.state.kept.clear()
        c = await town.node("c")
        assert await version(c) == "1.0", "it knows no better"
        await c.quiet()
        assert await version(a) == "2.0"


async def test_the_project_list_is_shared_too(root: Path) -> None:
    async with Town(root) as town:
        renderer = CountingRenderer()
        a, b = await town.nodes("a", "b", renderer=renderer)
        town.upstream.plan(PAGES, page_plan(LISTED))
        ours = await read(a.house)
        await a.quiet()
        assert await read(b.house) == ours
        assert len(town.upstream.requests) == 1


async def test_a_confirmed_list_whose_body_is_on_disk_only_is_shared(root: Path) -> None:
    async with Town(root) as town:
        renderer = CountingRenderer()
        a, b = await town.nodes("a", "b", renderer=renderer)
        town.upstream.plan(PAGES, page_plan(LISTED), Plan(status=304))
        ours = await read(a.house)
        await a.quiet()
        town.state.lose_everything()
        town.clock.pass_time(301)
        answer = await a.house.lists.get(Format.JSON, Coding.IDENTITY)
        assert isinstance(answer, ListAnswer)
        assert answer.answered.verdict is Verdict.REVALIDATED
        answer.file.close()
        await a.quiet()
        assert await read(b.house) == ours
        assert len(town.upstream.requests) == 2


async def test_a_page_whose_turn_ended_while_nobody_listened_is_claimed_again(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        key = a.house.pages.key(DEMO)
        granted = await a.register.claim(key)
        assert isinstance(granted, Granted)
        serve(town, FIRST, '"1"')
        asking = asyncio.create_task(a.page())
        await until(lambda: town.state.asked.count("claim") >= 2)
        await a.register.release(granted.lease)
        assert b"demo-1.0" in await asking
