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
from cheesebox.errors import CheeseboxError, EngineError, NotFound, UpstreamBroken, UpstreamUnreachable
from tests.cache.fakes import PAGES, Gate, Plan, json_page, page_plan, whole_or_part
from tests.cache.house import hashed_path, listed, url_of
from tests.commons.town import LEASE, PATIENCE, Town, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.commons.town import Node

BODY = random.Random(7).randbytes(700_000)
OTHER = random.Random(8).randbytes(700_000)
PATH = hashed_path(BODY)
URL = url_of(PATH)
HEADERS = {"Content-Length": str(len(BODY)), "ETag": '"v1"'}
HALF = 400_000


def growing(town: Town) -> Gate:
    """Have the upstream stop in mid-body; whoever asks for the rest later gets it."""
    gate = Gate()
    first = Plan([BODY[:HALF], gate, BODY[HALF:]], headers=HEADERS)
    town.upstream.plan(URL, first, lambda request: whole_or_part(BODY, request))
    return gate


async def first_bytes(node: Node) -> tuple[bytes, asyncio.Task[bytes]]:
    """Open the file; give its first bytes, and the rest when it has come."""
    opened = await node.house.files.open(PATH, Want.REST)
    stream = opened.stream(0, None)
    first = await anext(stream)

    async def rest() -> bytes:
        try:
            return b"".join([chunk async for chunk in stream])
        finally:
            opened.close()

    return first, asyncio.create_task(rest())


async def shared(town: Town, *names: str) -> list[Node]:
    """Have a first node fetch and publish, then start the others."""
    nodes = await town.nodes(*names)
    town.upstream.serve(URL, BODY)
    assert await nodes[0].house.read(PATH) == BODY
    await nodes[0].quiet()
    assert list(town.state.kept) == [nodes[0].house.key(PATH)]
    return nodes


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


async def test_a_follower_whose_leader_dies_goes_on_where_it_was_and_publishes(root: Path) -> None:
    async with Town(root) as town:
        a, b, c = await town.nodes("a", "b", "c")
        growing(town)
        _, our_rest = await first_bytes(a)
        theirs, their_rest = await first_bytes(b)
        await a.die()
        with pytest.raises(CheeseboxError):
            await our_rest
        await until(lambda: len(town.network.requests) >= 2)
        town.clock.pass_time(LEASE + 0.1)
        assert theirs + await their_rest == BODY
        first, second = town.upstream.requests
        assert "Range" not in first.headers
        assert int(second.headers["Range"].removeprefix("bytes=").rstrip("-")) > 0
        await b.quiet()
        assert await c.house.read(PATH) == BODY
        assert len(town.upstream.requests) == 2


async def test_a_follower_takes_over_at_once_when_its_leader_is_stopped(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        growing(town)
        _, our_rest = await first_bytes(a)
        theirs, their_rest = await first_bytes(b)
        await a.house.tasks.close()
        await a.commons.close()
        with pytest.raises(CheeseboxError):
            await our_rest
        assert theirs + await their_rest == BODY, "no time has passed"
        assert len(town.upstream.requests) == 2


async def test_bytes_that_fail_verification_are_shared_with_nobody(root: Path) -> None:
    gate = Gate()
    async with Town(root) as town:
        a, b, c = await town.nodes("a", "b", "c")
        wrong = Plan([OTHER[:HALF], gate, OTHER[HALF:]], headers=HEADERS)
        town.upstream.plan(URL, wrong, lambda request: whole_or_part(OTHER, request))
        _, our_rest = await first_bytes(a)
        theirs, their_rest = await first_bytes(b)
        gate.opened.set()
        for cut in (our_rest, their_rest):
            with pytest.raises(UpstreamBroken):
                await cut
        assert len(theirs) <= len(BODY) - WITHHELD
        await town.quiet(a, b)
        assert (town.objects.bodies, town.objects.unfinished) == ({}, 0)
        assert (town.state.kept, town.state.leases) == ({}, {})
        town.upstream.serve(URL, BODY)
        assert await c.house.read(PATH) == BODY


async def gather(stream: AsyncIterator[bytes], seen: list[bytes]) -> None:
    async for chunk in stream:
        seen.append(chunk)  # noqa: PERF401 - what came before it is cut counts


def flipped(body: bytes) -> bytes:
    return body[:HALF] + bytes([body[HALF] ^ 1]) + body[HALF + 1 :]


async def test_readers_of_a_damaged_object_are_cut_before_its_end_and_the_next_fetches_anew(
    root: Path,
) -> None:
    async with Town(root) as town:
        a, b, c = await shared(town, "a", "b", "c")
        key = a.house.key(PATH)
        bad = town.named(key)
        town.damage(key, flipped(BODY))
        opened = await b.house.files.open(PATH, Want.REST)
        seen: list[bytes] = []
        with pytest.raises(UpstreamBroken):
            await gather(opened.stream(0, None), seen)
        opened.close()
        assert 0 < len(b"".join(seen)) <= len(BODY) - WITHHELD
        await b.quiet()
        assert bad in town.state.waste
        assert await b.house.read(PATH) == BODY
        await b.quiet()
        assert await c.house.read(PATH) == BODY
        assert len(town.upstream.asked(URL)) == 2


@pytest.mark.parametrize("left", [0, 1000, len(BODY) - 1])
async def test_an_object_that_is_too_short_is_completed_from_the_upstream(root: Path, left: int) -> None:
    async with Town(root) as town:
        a, b, c = await shared(town, "a", "b", "c")
        key = a.house.key(PATH)
        bad = town.named(key)
        town.damage(key, BODY[:left])
        assert await b.house.read(PATH) == BODY
        await b.quiet()
        assert bad in town.state.waste
        assert town.named(key) != bad
        assert await c.house.read(PATH) == BODY
        assert len(town.upstream.requests) == 2


async def test_an_object_that_is_gone_is_fetched_anew(root: Path) -> None:
    async with Town(root) as town:
        a, b = await shared(town, "a", "b")
        town.objects.bodies.clear()
        assert await b.house.read(PATH) == BODY
        await b.quiet()
        assert town.objects.bodies[town.named(a.house.key(PATH))] == BODY
        assert len(town.upstream.requests) == 2


async def test_a_storage_that_fails_during_an_upload_costs_the_client_nothing(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        gate = growing(town)
        ours, rest = await first_bytes(a)
        await until(lambda: town.objects.unfinished == 1)
        town.objects.down = True
        gate.opened.set()
        assert ours + await rest == BODY
        await a.quiet()
        assert (town.state.kept, town.state.leases, town.objects.unfinished) == ({}, {}, 0)
        assert await b.house.read(PATH) == BODY
        assert len(town.upstream.requests) == 2


async def test_a_storage_that_fails_in_mid_read_leaves_the_rest_to_the_upstream(root: Path) -> None:
    async with Town(root) as town:
        _, b = await shared(town, "a", "b")
        read = town.objects.read

        async def breaking(name, start=0, stop=None):
            async for piece in read(name, start, stop):
                yield piece
                if start + len(piece) > 0:
                    town.objects.down = True

        town.objects.read = breaking  # type: ignore[method-assign] # one that fails after its first bytes
        assert await b.house.read(PATH) == BODY
        assert len(town.upstream.requests) == 2
        assert town.upstream.requests[1].headers["Range"] == "bytes=65536-"
        assert town.state.kept, "nothing says that the object is bad"


async def test_a_storage_that_fails_again_and_again_is_asked_once_by_a_download(root: Path) -> None:
    async with Town(root) as town:
        _, b = await shared(town, "a", "b")

        async def failing(*_: object):
            raise EngineError("cannot be read")
            yield b""

        claim = b.register.claim

        async def claimed_later(*args: object):
            town.clock.pass_time(60)  # the storage has rested, and may be asked again
            return await claim(*args)

        town.objects.read = failing  # type: ignore[method-assign] # one that never gives a byte
        b.register.claim = claimed_later  # type: ignore[method-assign] # one that is slow
        assert await b.house.read(PATH) == BODY
        assert len(town.upstream.requests) == 2


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


async def test_nodes_without_a_register_fetch_by_themselves(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        town.upstream.serve(URL, BODY)
        town.state.down = True
        assert await a.house.read(PATH) == BODY
        assert await b.house.read(PATH) == BODY
        assert len(town.upstream.requests) == 2
        assert not town.objects.bodies


async def test_a_register_that_dies_during_an_upload_leaves_an_object_and_no_error(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        gate = growing(town)
        ours, rest = await first_bytes(a)
        town.state.down = True
        gate.opened.set()
        assert ours + await rest == BODY
        await a.quiet()
        assert list(town.objects.bodies.values()) == [BODY]
        assert not town.state.kept


async def test_a_paused_upload_that_ends_late_is_refused(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        gate = growing(town)
        ours, rest = await first_bytes(a)
        a.is_dead = True  # nobody reaches it, and it does not renew
        town.clock.pass_time(LEASE + 0.1)
        assert await b.house.read(PATH) == BODY
        await b.quiet()
        named = town.named(b.house.key(PATH))
        gate.opened.set()
        assert ours + await rest == BODY
        await a.quiet()
        assert town.named(b.house.key(PATH)) == named
        assert set(town.objects.bodies) - {named} == set(town.state.waste)
