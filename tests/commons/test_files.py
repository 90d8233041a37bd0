"""Files of several nodes: one download for all, never a wrong byte, whatever dies in between."""

from __future__ import annotations

import asyncio
import hashlib
import random
from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.files import Want
from cheesebox.cache.growing import WITHHELD
from cheesebox.engines import Granted
from cheesebox.errors import CheeseboxError, NotFound, UpstreamUnreachable
from tests.cache.fakes import PAGES, Gate, Plan, json_page, page_plan
from tests.cache.house import hashed_path, listed, url_of
from tests.commons.demo_wheel import BODY, HEADERS, PATH, URL, first_bytes, growing, shared
from tests.commons.town import LEASE, PATIENCE, Town, until

if TYPE_CHECKING:
    from pathlib import Path


async def test_one_download_serves_all_nodes(root: Path) -> None:
    async with Town(root) as town:
        nodes = await town.nodes("a", "b", "c")
        town.upstream.serve(URL, BODY)
        bodies = await asyncio.gather(*(node.house.read(PATH) for node in nodes for _ in range(3)))
        assert set(bodies) == {BODY}
        assert len(town.upstream.requests) == 1


async def test_what_one_node_has_fetched_the_others_read_from_the_storage(root: Path) -> None:
    async with Town(root) as town:
        _, b = await shared(town, "a", "b")
        assert await b.house.read(PATH) == BODY
        assert len(town.upstream.requests) == 1
        assert town.network.requests == []
        assert b.counts.brought == 1


async def test_a_node_follows_the_one_that_fetches_and_gets_its_end_when_it_is_verified(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        gate = growing(town)
        ours, our_rest = await first_bytes(a)
        await gate.reached.wait()
        theirs, their_rest = await first_bytes(b)
        assert theirs
        assert BODY.startswith(theirs)
        assert not gate.opened.is_set(), "the first bytes come while the download goes on"
        gate.opened.set()
        assert ours + await our_rest == BODY
        assert theirs + await their_rest == BODY
        assert b.counts.followed == 1
        assert len(town.upstream.requests) == 1
        await town.quiet(a, b)
        assert not town.state.leases


async def test_the_end_of_a_followed_file_is_withheld_until_it_is_verified(root: Path) -> None:
    gate = Gate()
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        town.upstream.plan(URL, Plan([BODY[:-1], gate, BODY[-1:]], headers=HEADERS))
        _, our_rest = await first_bytes(a)
        await gate.reached.wait()
        opened = await b.house.files.open(PATH, Want.REST)
        stream = opened.stream(0, None)
        seen = b""
        while len(seen) < len(BODY) - 2 * WITHHELD:
            seen += await anext(stream)
        assert len(seen) <= len(BODY) - WITHHELD
        gate.opened.set()
        assert seen + b"".join([chunk async for chunk in stream]) == BODY
        opened.close()
        await our_rest


async def test_the_fetching_node_uploads_while_its_download_grows(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        gate = growing(town)
        _, rest = await first_bytes(a)
        await until(lambda: town.objects.unfinished == 1)
        assert not gate.opened.is_set()
        assert not town.objects.bodies
        gate.opened.set()
        await rest
        await a.quiet()
        assert list(town.objects.bodies.values()) == [BODY]


async def test_a_file_without_a_digest_is_never_shared(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        path = "packages/demo-1.0.tar.gz"
        url = url_of(path)
        town.upstream.plan(f"{PAGES}demo/", page_plan(json_page(listed(path, BODY) | {"hashes": {}})))
        town.upstream.serve(url, BODY)
        for node in (a, b):
            assert await node.house.read(path) == BODY
            await node.quiet()
        assert len(town.upstream.asked(url)) == 2
        assert a.house.key(path) not in town.state.kept
        assert [name for _, name in town.objects.asked if "packages" in name] == []


async def test_a_file_whose_digest_a_page_tells_is_shared(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        path = "packages/demo-1.0.tar.gz"
        town.upstream.plan(f"{PAGES}demo/", page_plan(json_page(listed(path, BODY))))
        town.upstream.serve(url_of(path), BODY)
        for node in (a, b):
            assert await node.house.read(path) == BODY
            await node.quiet()
        assert len(town.upstream.requests) == 2
        assert hashlib.sha256(BODY).hexdigest() in town.named(a.house.key(path))


async def test_heads_and_slices_of_a_shared_file_come_from_the_storage(root: Path) -> None:
    big = random.Random(9).randbytes(3 << 20)
    path = hashed_path(big)
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        town.upstream.serve(url_of(path), big)
        await a.house.read(path)
        await a.quiet()
        opened = await b.house.files.open(path, Want.HEAD)
        assert opened.head.size == len(big)
        opened.close()
        assert await b.house.read(path, len(big) - 5000, None, Want.SLICE) == big[-5000:]
        assert await b.house.read(path, 2 << 20, (2 << 20) + 10, Want.SLICE) == big[2 << 20 : (2 << 20) + 10]
        assert len(town.upstream.requests) == 1
        assert b.house.downloads.under_way() == ()


async def test_slices_go_to_the_upstream_while_the_storage_fails(root: Path) -> None:
    big = random.Random(9).randbytes(3 << 20)
    path = hashed_path(big)
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        town.upstream.serve(url_of(path), big)
        await a.house.read(path)
        await a.quiet()
        town.objects.down = True
        assert await b.house.read(path, len(big) - 5000, None, Want.SLICE) == big[-5000:]
        assert town.upstream.requests[-1].headers["Range"] == f"bytes={len(big) - 5000}-"


async def test_a_404_for_a_file_is_remembered_for_all_as_long_as_the_first_has_found_it(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        town.upstream.plan(URL, Plan(status=404))
        with pytest.raises(NotFound):
            await a.house.read(PATH)
        await a.quiet()
        town.clock.pass_time(50)
        with pytest.raises(NotFound):
            await b.house.read(PATH)
        assert len(town.upstream.requests) == 1
        town.upstream.serve(URL, BODY)
        town.clock.pass_time(11)
        assert await b.house.read(PATH) == BODY


@pytest.mark.parametrize("url", ["", "http://nobody.example"])
async def test_who_cannot_reach_the_fetching_node_waits_until_it_has_published(root: Path, url: str) -> None:
    async with Town(root) as town:
        a = await town.node("a", url=url)
        town.network.nodes.clear()
        b = await town.node("b")
        gate = growing(town)
        ours, rest = await first_bytes(a)
        waiting = asyncio.create_task(b.house.read(PATH))
        await until(lambda: town.state.asked.count("claim") >= 3)
        assert not waiting.done()
        gate.opened.set()
        assert ours + await rest == BODY
        assert await waiting == BODY
        assert len(town.upstream.requests) == 1
        assert b.counts.brought == 1


async def test_who_has_waited_for_too_long_fetches_alone_and_publishes_nothing(root: Path) -> None:
    async with Town(root) as town:
        a = await town.node("a", url="")
        b = await town.node("b")
        gate = growing(town)
        ours, rest = await first_bytes(a)
        waiting = asyncio.create_task(b.house.read(PATH))
        await until(lambda: town.state.asked.count("claim") >= 3)
        for _ in range(4):
            town.clock.pass_time(PATIENCE / 3)
            (lease,) = town.state.leases.values()
            lease.until = town.clock() + LEASE  # it is alive, and renews
        assert await waiting == BODY
        await b.quiet()
        assert (b.counts.alone, b.counts.published) == (1, 0)
        assert len(town.upstream.requests) == 2
        assert not town.state.kept
        gate.opened.set()
        assert ours + await rest == BODY
        await a.quiet()
        assert a.counts.published == 1


async def test_a_node_does_not_wait_for_itself_after_it_began_anew(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        town.upstream.serve(URL, BODY)
        before = await a.register.claim(a.house.key(PATH))
        assert isinstance(before, Granted)
        reading = asyncio.create_task(a.house.read(PATH))
        await until(lambda: town.state.asked.count("claim") >= 3)
        assert town.network.requests == []
        town.clock.pass_time(LEASE + 0.1)
        assert await reading == BODY


async def test_what_this_node_has_evicted_comes_from_the_storage_again(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await shared(town, "a")
        await a.house.shelf.forget(a.house.key(PATH))
        assert await a.house.read(PATH) == BODY
        assert len(town.upstream.requests) == 1


async def test_a_follower_does_not_hold_the_upstream_to_the_validator_of_a_node(root: Path) -> None:
    """Its own entity tag would make the upstream send all again, or count as another body."""
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        growing(town)
        _, our_rest = await first_bytes(a)
        theirs, their_rest = await first_bytes(b)
        await a.house.tasks.close()
        await a.commons.close()
        with pytest.raises(CheeseboxError):
            await our_rest
        assert theirs + await their_rest == BODY
        assert "If-Range" not in town.upstream.requests[1].headers


async def test_the_turn_is_given_back_when_the_upstream_is_away(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        town.upstream.plan(URL, Plan(before=UpstreamUnreachable("down")))
        with pytest.raises(UpstreamUnreachable):
            await a.house.read(PATH)
        await a.quiet()
        assert not town.state.leases
