"""Leases are renewed while they are needed, and given back whatever happens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from cheesebox.engines import Granted, Lease, Record
from cheesebox.ports import Key
from tests.commons.town import LEASE, Town, until

if TYPE_CHECKING:
    from pathlib import Path

    from cheesebox.commons.tenure import Tenure
    from tests.commons.town import Node

KEY = Key("pypi/simple/demo.page")


async def held(node: Node, seconds: float = LEASE) -> Tenure:
    """Have a node hold the lease of a key; ``seconds`` tell how often it is renewed."""
    granted = await node.register.claim(KEY)
    assert isinstance(granted, Granted)
    return node.commons.hold(Granted(Lease(KEY, granted.lease.token, seconds), granted.record))


async def test_a_lease_is_renewed_while_it_is_held(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        tenure = await held(a, seconds=0.01)
        await until(lambda: town.state.asked.count("renew") >= 3)
        tenure.give_back()
        await a.quiet()
        asked = town.state.asked.count("renew")
        await asyncio.sleep(0.02)
        assert town.state.asked.count("renew") == asked
        assert not town.state.leases


async def test_renewing_ends_with_the_lease_that_was_lost(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        tenure = await held(a, seconds=0.01)
        town.state.leases.clear()
        await until(lambda: "renew" in town.state.asked)
        renewing = tenure._renewing
        assert renewing is not None
        await renewing
        tenure.give_back()
        await a.quiet()


async def test_renewing_goes_on_when_the_register_is_back(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        await held(a, seconds=0.01)
        town.state.down = True
        await until(lambda: "renew" in town.state.asked)
        town.state.down = False
        town.clock.pass_time(1)
        asked = town.state.asked.count("renew")
        await until(lambda: town.state.asked.count("renew") > asked + 1)


async def test_a_tenure_ends_once(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        tenure = await held(a)
        await tenure.publish_absence(60)
        tenure.give_back()
        await tenure.publish_absence(60)
        await a.quiet()
        assert town.state.asked.count("publish_absence") == 1
        assert "release" not in town.state.asked


@pytest.mark.parametrize("is_closed_before", [True, False])
async def test_a_node_that_stops_gives_back_what_it_holds(root: Path, is_closed_before: bool) -> None:  # noqa: FBT001
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        tenure = await held(a)
        if not is_closed_before:
            tenure.give_back()
        await a.house.tasks.close()
        if is_closed_before:
            tenure.give_back()
        await a.commons.close()
        assert not town.state.leases


async def test_what_a_task_held_that_never_began_is_given_back_too(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        tenure = await held(a)

        async def publish() -> None:
            try:
                await asyncio.sleep(0)
            finally:
                tenure.give_back()

        a.commons.later(publish(), "publish")
        await a.house.tasks.close()
        await a.commons.close()
        assert not town.state.leases


async def test_closing_lets_go_of_the_engines_though_they_are_down(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        await held(a)
        town.state.down = True
        await a.house.tasks.close()
        await a.commons.close()
        assert a.register.closed
        assert town.objects.closed
        town.state.down = False


async def test_a_damaged_object_is_forgotten_by_who_is_about_to_publish_it_again(root: Path) -> None:
    from tests.commons.test_documents import FIRST, serve

    async with Town(root) as town:
        (a,) = await town.nodes("a")
        serve(town, FIRST, '"1"')
        await a.page()
        await a.quiet()
        town.clock.pass_time(301)
        granted = await a.register.claim(KEY, 300)
        assert isinstance(granted, Granted)
        assert isinstance(granted.record, Record)
        tenure = a.commons.hold(granted)
        await a.commons.disown(granted.record)
        assert tenure.record is None
