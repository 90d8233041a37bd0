"""Views of one index: what they share, and what they must not."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.guard import Guard
from cheesebox.cache.views import Views
from cheesebox.errors import FileWithheld, StoreError
from cheesebox.simple.matches import Matches, parse_match
from cheesebox.simple.negotiation import Coding, Format
from cheesebox.simple.policies import Deny, Undated, View
from tests.cache.fakes import PAGES, Gate, Plan, json_page, page_plan
from tests.cache.house import DEMO, House, hashed_path, listed

if TYPE_CHECKING:
    from pathlib import Path

    from cheesebox.cache.pages import PageAnswer

URL = f"{PAGES}demo/"
PATH = hashed_path(b"content")
BODY = json_page(listed(PATH, b"content", **{"upload-time": "2023-01-01T00:00:00Z"}))
MONTH = 30 * 86400
QUARANTINED = json_page().replace(b'"files"', b'"project-status":{"status":"quarantined"},"files"')
DENYING = View((Deny(Matches((parse_match("demo"),))),))


async def ask(house: House, view: View) -> PageAnswer:
    return await house.pages.project(DEMO, Format.JSON, Coding.IDENTITY, view)


async def test_who_joins_a_flight_gets_the_lifetime_of_its_own_view(root: Path) -> None:
    async with House(root) as house:
        past = Views(View(), Undated.HIDE, house.clock).at("2023-06-01")
        for first, second in ((past, View()), (View(), past)):
            house.documents.drop_from_memory(house.pages.key(DEMO))
            await house.shelf.forget(house.pages.key(DEMO))
            gate = Gate()
            plan = page_plan(BODY)
            house.upstream.plan(URL, Plan(plan.steps, headers=plan.headers, before=gate))
            asked = [asyncio.ensure_future(ask(house, view)) for view in (first, second)]
            await gate.reached.wait()
            await asyncio.sleep(0)
            gate.opened.set()
            told = {
                view.name: (await answer).answered
                for view, answer in zip((first, second), asked, strict=True)
            }
            assert [answered.max_age for _, answered in sorted(told.items())] == [300, MONTH]
            assert sorted(answered.collapsed for answered in told.values()) == [False, True]
        assert len(house.upstream.requests) == 2


async def test_what_was_made_for_one_view_is_not_given_to_another(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, page_plan(BODY))
        bodies = [(await ask(house, view)).representation.body for view in (View(), DENYING, View(), DENYING)]
        assert bodies[:2] == bodies[2:]
        assert [b"demo-1.0-py3" in body for body in bodies[:2]] == [True, False]


async def test_a_clearance_holds_as_long_as_its_page(root: Path) -> None:
    async with House(root) as house:
        guard = Guard(house.pages, house.documents, house.clock)
        house.upstream.plan(URL, page_plan(BODY))
        without_page = await guard.clear(PATH, View())
        assert without_page is not None
        assert without_page.holds()
        await house.page()
        assert not without_page.holds()
        with_page = await guard.clear(PATH, View())
        assert with_page is not None
        assert with_page.holds()
        house.clock.pass_time(301)
        house.upstream.plan(URL, page_plan(QUARANTINED, etag='"q"'))
        await house.page()
        assert not with_page.holds()
        with pytest.raises(FileWithheld, match="demo is quarantined"):
            await guard.clear(PATH, View())


async def test_a_clearance_does_not_hold_when_nobody_can_tell(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_key: object) -> bool:
        raise StoreError("the disk is gone")

    async with House(root) as house:
        guard = Guard(house.pages, house.documents, house.clock)
        clearance = await guard.clear(PATH, View())
        assert clearance is not None
        house.documents.arrivals += 1
        assert clearance.holds()
        house.documents.arrivals += 1
        monkeypatch.setattr(house.documents, "has", fail)
        assert not clearance.holds()


async def test_a_clearance_keeps_no_page_in_memory_and_knows_when_it_is_replaced(root: Path) -> None:
    async with House(root, memory=1) as house:
        guard = Guard(house.pages, house.documents, house.clock)
        house.upstream.plan(URL, page_plan(BODY))
        await house.page()
        clearance = await guard.clear(PATH, View())
        gc.collect()
        assert clearance is not None
        assert not list(house.documents._alive)
        assert clearance.holds()
        await house.page()  # read from disk again: it stands where it stood
        assert clearance.holds()
        house.clock.pass_time(3600)
        house.upstream.plan(URL, page_plan(BODY + b" "))
        await house.page()
        assert not clearance.holds()


async def test_a_file_whose_name_tells_of_no_project_is_withheld_by_rules_only(root: Path) -> None:
    async with House(root) as house:
        guard = Guard(house.pages, house.documents, house.clock)
        odd = hashed_path(b"x", "-.whl")
        assert await guard.clear(odd, View()) is None
        with pytest.raises(FileWithheld, match="its name tells of no project"):
            await guard.clear(odd, DENYING)
