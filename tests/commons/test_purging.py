"""A purge on one node removes on all, from disk, from memory and from the shared store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.purge import Purged, Selection
from cheesebox.errors import NotFound, StoreError
from cheesebox.simple.names import ProjectName
from tests.cache.fakes import Plan, files_below
from tests.cache.house import DEMO, hashed_path, url_of
from tests.commons.test_documents import FIRST, SECOND, URL, serve, version
from tests.commons.town import Town, until

if TYPE_CHECKING:
    from pathlib import Path

    from cheesebox.simple.paths import FilePath
    from tests.commons.town import Node

BODY = b"body" * 1000
PATH = hashed_path(BODY)


async def stocked(town: Town, *names: str) -> list[Node]:
    """Have all nodes keep a page and a file."""
    nodes = await town.nodes(*names)
    serve(town, FIRST, '"1"')
    town.upstream.serve(url_of(PATH), BODY)
    for node in nodes:
        await node.page()
        await node.house.read(PATH)
        await node.quiet()
    return nodes


def is_empty(node: Node) -> bool:
    if node.house.catalogue.totals().entries or node.house.documents.has(node.house.pages.key(DEMO)):
        return False
    return not (node.house.root / node.house.key(PATH)).exists()


async def test_a_purge_on_one_node_removes_from_all(root: Path) -> None:
    async with Town(root) as town:
        a, b = await stocked(town, "a", "b")
        serve(town, SECOND, '"2"')
        purged = await a.purge.run(Selection(DEMO))
        assert purged.objects == 2
        await until(lambda: is_empty(b))
        assert is_empty(a)
        assert not town.state.kept
        assert set(town.objects.bodies) == set(town.state.waste)
        assert [await version(b), await version(a)] == ["2.0", "2.0"]


async def test_other_projects_stay(root: Path) -> None:
    async with Town(root) as town:
        a, b = await stocked(town, "a", "b")
        assert await a.purge.run(Selection(ProjectName("other"))) == Purged(0, 0)
        assert len(files_below(b.house.root)) == len(town.state.kept) == 2


async def test_exact_keys_go_everywhere_also_from_memory(root: Path) -> None:
    async with Town(root) as town:
        a, b = await stocked(town, "a", "b")
        key = a.house.pages.key(DEMO)
        b.house.room.remove([key])  # evicted there, and still in memory
        assert b.house.documents.has(key)
        await a.purge.remove([key])
        await until(lambda: not b.house.documents.has(key))
        assert set(town.state.kept) == {a.house.key(PATH)}
        assert len(town.state.waste) == 1


async def test_what_no_node_has_locally_is_purged_too(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await stocked(town, "a")
        b = await town.node("b")
        a.house.room.remove(list(town.state.kept))
        purged = await b.purge.run(Selection(DEMO))
        assert purged == Purged(2, len(FIRST) + len(BODY))
        assert not town.state.kept


async def test_what_is_on_disks_and_not_in_the_storage_is_purged_from_all(root: Path) -> None:
    async with Town(root) as town:
        a, b = await stocked(town, "a", "b")
        town.state.kept.clear()
        town.objects.bodies.clear()
        await a.purge.run(Selection(DEMO))
        await until(lambda: is_empty(b))
        assert is_empty(a)


async def test_what_only_the_disk_of_another_node_has_is_purged(root: Path) -> None:
    async with Town(root) as town:
        a = await town.node("a")
        (b,) = await stocked(town, "b")
        await b.register.evict(10)
        town.objects.bodies.clear()
        await a.purge.run(Selection(DEMO))
        await until(lambda: is_empty(b))


async def test_objects_without_a_record_go_at_once_lest_they_are_taken_over_again(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await stocked(town, "a")
        town.state.lose_everything()
        await a.purge.run(Selection(DEMO))
        await a.keeping().work()
        assert not town.state.kept
        assert not town.objects.bodies


async def test_a_remembered_404_is_purged_on_all_nodes(root: Path) -> None:
    async with Town(root) as town:
        a, b = await town.nodes("a", "b")
        town.upstream.plan(URL, Plan(status=404))
        for node in (a, b):
            with pytest.raises(NotFound):
                await node.page()
        serve(town, FIRST, '"1"')
        await a.purge.remove([a.house.pages.key(DEMO)])
        await until(lambda: a.house.pages.key(DEMO) not in b.house.documents._absent)
        assert await version(b) == "1.0"


@pytest.mark.parametrize("engine", ["state", "objects"])
async def test_a_purge_that_does_not_reach_the_others_is_an_error_and_is_done_here(
    root: Path, engine: str
) -> None:
    async with Town(root) as town:
        a, b = await stocked(town, "a", "b")
        getattr(town, engine).down = True
        with pytest.raises(StoreError, match="not everywhere"):
            await a.purge.run(Selection(DEMO))
        assert is_empty(a)
        assert len(files_below(b.house.root)) == 2
        getattr(town, engine).down = False


async def test_selections_by_version_index_and_age_hold_for_shared_objects(root: Path) -> None:
    async with Town(root) as town:
        (a,) = await stocked(town, "a")
        b = await town.node("b")
        assert await b.purge.run(Selection(DEMO, "2.0")) == Purged(0, 0)
        assert await b.purge.run(Selection(DEMO, index="other")) == Purged(0, 0)
        assert await b.purge.run(Selection(stored_before=town.clock())) == Purged(0, 0)
        assert await b.purge.run(Selection(DEMO, "1.0")) == Purged(1, len(BODY))
        await until(lambda: a.house.catalogue.totals().entries == 1)
        assert set(town.state.kept) == {a.house.pages.key(DEMO)}


def path_of(number: int) -> FilePath:
    return hashed_path(bytes([number]), f"demo-{number}.tar.gz")


async def test_more_than_one_batch_goes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cheesebox.commons.purging._BATCH", 2)
    async with Town(root) as town:
        (a,) = await town.nodes("a")
        for number in range(5):
            town.upstream.serve(url_of(path_of(number)), bytes([number]))
            await a.house.read(path_of(number))
            await a.quiet()
        assert (await a.purge.run(Selection())).objects == 5
        assert not town.state.kept
