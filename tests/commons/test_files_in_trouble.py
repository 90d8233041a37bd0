"""Files that nodes share while an engine or a node fails, or an object is damaged."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.files import Want
from cheesebox.cache.growing import WITHHELD
from cheesebox.errors import CheeseboxError, EngineError, UpstreamBroken
from tests.cache.fakes import Gate, Plan, whole_or_part
from tests.commons.demo_wheel import BODY, HALF, HEADERS, PATH, URL, first_bytes, growing, shared
from tests.commons.town import LEASE, Town, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


OTHER = random.Random(8).randbytes(700_000)


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
