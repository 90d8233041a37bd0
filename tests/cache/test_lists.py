"""The project list: rendered once for each refresh and representation, outside the event loop."""

from __future__ import annotations

import asyncio
import gzip
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import pytest

from cheesebox.cache import envelope
from cheesebox.cache.eviction import Limits
from cheesebox.cache.freshness import Verdict
from cheesebox.cache.lists import ListAnswer, render_list
from cheesebox.errors import StoreError, UnreadablePage, UpstreamTimeout
from cheesebox.simple.negotiation import Coding, Format
from tests.cache.fakes import JSON, PAGES, Gate, Plan, files_below, open_handles, page_plan, parts_below
from tests.cache.house import House

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [{"name": f"project-{number}", "_last-serial": number} for number in range(50)]
LIST = msgspec.json.encode({"meta": {"api-version": "1.1"}, "projects": NAMES})
LONGER = msgspec.json.encode({"meta": {"api-version": "1.1"}, "projects": [*NAMES, {"name": "newest"}]})
HEADERS = {"Content-Type": JSON}


@dataclass
class CountingRenderer:
    """Renders in this process and counts; ``error`` is raised instead while there is one."""

    rendered: int = 0
    error: Exception | None = None
    gate: Gate | None = None

    async def render(self, source: int, target: int, form: Format, coding: Coding) -> str:
        self.rendered += 1
        if self.gate is not None:
            await self.gate.pass_through()
        if self.error is not None:
            raise self.error
        page = envelope.unpack(os.pread(source, 1 << 24, 0))
        if page is None:
            raise UnreadablePage("the stored project list is damaged")
        body = render_list(page[1], page[0].content_type, page[0].location, form)
        os.pwrite(target, gzip.compress(body, mtime=0) if coding is Coding.GZIP else body, 0)
        return f'"{form.name} {len(body)}"'


@pytest.fixture
def renderer() -> CountingRenderer:
    return CountingRenderer()


async def read(house: House, form: Format = Format.JSON, coding: Coding = Coding.IDENTITY) -> bytes:
    answer = await house.lists.get(form, coding)
    if not isinstance(answer, ListAnswer):
        return answer[0].body
    try:
        return b"".join([chunk async for chunk in answer.file.stream(0, None)])
    finally:
        answer.file.close()


async def test_a_representation_is_rendered_once_however_many_ask(
    root: Path, renderer: CountingRenderer
) -> None:
    async with House(root, renderer=renderer) as house:
        house.upstream.plan(PAGES, page_plan(LIST))
        bodies = await asyncio.gather(*(read(house) for _ in range(20)))
        assert len(set(bodies)) == 1
        assert msgspec.json.decode(bodies[0])["projects"] == NAMES
        assert renderer.rendered == 1
        await read(house, Format.HTML, Coding.GZIP)
        await read(house, Format.HTML, Coding.GZIP)
        assert renderer.rendered == 2
        assert len(house.upstream.requests) == 1


async def test_a_refresh_that_changes_nothing_renders_nothing(root: Path, renderer: CountingRenderer) -> None:
    async with House(root, renderer=renderer) as house:
        house.upstream.plan(
            PAGES, page_plan(LIST), Plan(status=304), page_plan(LIST, etag='"p2"'), page_plan(LONGER)
        )
        for _ in range(3):
            await read(house)
            house.clock.pass_time(301)
        assert renderer.rendered == 1
        assert b"newest" in await read(house)
        assert renderer.rendered == 2


async def test_renderings_outlive_a_restart(root: Path, renderer: CountingRenderer) -> None:
    async with House(root, renderer=renderer) as house:
        house.upstream.plan(PAGES, page_plan(LIST))
        await read(house)
        now = house.clock.now
    async with House(root, renderer=renderer) as house:
        house.clock.now = now
        await read(house)
        assert house.upstream.requests == []
        assert renderer.rendered == 1


async def test_the_list_itself_is_not_held_in_memory(root: Path, renderer: CountingRenderer) -> None:
    async with House(root, renderer=renderer) as house:
        house.upstream.plan(PAGES, page_plan(LIST))
        await read(house)
        assert house.documents.statistics().bytes == 0


async def test_a_stale_list_is_served_while_the_upstream_is_down(
    root: Path, renderer: CountingRenderer
) -> None:
    async with House(root, renderer=renderer) as house:
        house.upstream.plan(PAGES, page_plan(LIST), Plan(before=UpstreamTimeout("down")))
        await read(house)
        house.clock.pass_time(301)
        answer = await house.lists.get(Format.JSON, Coding.IDENTITY)
        assert isinstance(answer, ListAnswer)
        assert answer.answered.verdict is Verdict.STALE
        answer.file.close()


async def test_a_list_that_was_evicted_is_fetched_again(root: Path, renderer: CountingRenderer) -> None:
    async with House(root, renderer=renderer) as house:
        house.upstream.plan(PAGES, page_plan(LIST))
        await read(house)
        await house.shelf.forget(house.index.key("simple.page"))
        await house.shelf.forget(house.index.key("simple.json.identity"))
        for key in list(house.catalogue.entries()):
            await house.shelf.forget(key.key)
        assert b"project-7" in await read(house)
        assert len(house.upstream.requests) == 2


async def test_a_list_damaged_on_disk_is_fetched_again(root: Path, renderer: CountingRenderer) -> None:
    async with House(root, renderer=renderer) as house:
        house.upstream.plan(PAGES, page_plan(LIST))
        await house.documents.get(house.lists._document())
        path = root / "pypi/simple.page"
        path.write_bytes(path.read_bytes().replace(b"project-7", b"projekt-7"))
        assert b"project-7" in await read(house)
        assert len(house.upstream.requests) == 2


BAD = {
    "no list": page_plan(b"hello", headers={"Content-Type": "text/plain"}),
    "HTML labelled JSON": page_plan(b"<html></html>"),
    "truncated": Plan([LIST[:-30]], headers=HEADERS),
    "without projects": page_plan(b'{"meta": {"api-version": "1.1"}}'),
}


@pytest.mark.parametrize("plan", BAD.values(), ids=BAD)
async def test_a_broken_list_does_not_replace_a_good_one(
    root: Path, renderer: CountingRenderer, plan: Plan
) -> None:
    async with House(root, renderer=renderer) as house:
        house.upstream.plan(PAGES, plan)
        with pytest.raises(UnreadablePage):
            await read(house)
        assert files_below(root) == set()
        house.upstream.plan(PAGES, page_plan(LIST), plan)
        await read(house)
        house.clock.pass_time(301)
        assert b"project-7" in await read(house)


async def test_a_list_that_cannot_be_rendered_is_not_kept(root: Path, renderer: CountingRenderer) -> None:
    bad = b'{"meta": {"api-version": "1.1"}, "projects": [{"nom": "x"}]}'
    async with House(root, renderer=renderer) as house:
        house.upstream.plan(PAGES, page_plan(bad))
        with pytest.raises(UnreadablePage):
            await read(house)
        assert files_below(root) == set()
        assert parts_below(root) == []
        assert house.room.statistics().reserved == 0


@pytest.mark.parametrize("limits", [Limits(max_size=10), Limits(max_size=len(LIST) + 1000)])
async def test_a_disk_without_room_still_gives_the_list(
    root: Path, renderer: CountingRenderer, limits: Limits
) -> None:
    async with House(root, renderer=renderer, limits=limits) as house:
        house.upstream.plan(PAGES, page_plan(LIST))
        bodies = await asyncio.gather(*(read(house) for _ in range(5)))
        bodies.append(await read(house))
        assert len(set(bodies)) == 1
        assert b"project-7" in bodies[0]
        assert b"project-7" in gzip.decompress(await read(house, Format.HTML, Coding.GZIP))
        assert house.room.statistics().reserved == 0


async def test_a_renderer_that_fails_is_stood_in_for(root: Path, renderer: CountingRenderer) -> None:
    fds = open_handles()
    renderer.error = StoreError("killed")
    async with House(root, renderer=renderer) as house:
        house.upstream.plan(PAGES, page_plan(LIST))
        assert b"project-7" in await read(house)
        assert parts_below(root) == []
    assert open_handles() == fds


async def test_shutdown_during_a_rendering_leaves_nothing(root: Path, renderer: CountingRenderer) -> None:
    fds = open_handles()
    renderer.gate = Gate()
    async with House(root, renderer=renderer) as house:
        house.upstream.plan(PAGES, page_plan(LIST))
        reading = asyncio.create_task(read(house))
        await renderer.gate.reached.wait()
        await house.tasks.close()
        await asyncio.gather(reading, return_exceptions=True)
        assert parts_below(root) == []
        assert house.room.statistics().reserved == 0
    assert open_handles() == fds
