"""What is selected is exactly what goes: from disk, from the catalogue, from memory."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cheesebox.adapters.disk_store import DiskStore
from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.adapters.sqlite_holdings import SqliteHoldings
from cheesebox.cache.blocking import Blocking
from cheesebox.cache.eviction import Limits, Room
from cheesebox.cache.purge import Purge, Purged, Selection
from cheesebox.cache.shelf import Shelf
from cheesebox.errors import StoreError
from cheesebox.ports import Entry, Key, Kind
from cheesebox.simple.names import ProjectName
from tests.cache.fakes import ManualClock, files_below

DIGEST = "packages/aa/bb/" + "0" * 60


class Stock:
    """Stored objects, and a purge over them that notes what it forgets."""

    def __init__(self, shelf, holdings):
        self.shelf = shelf
        self.forgotten: list[Key] = []
        self.purge = Purge(shelf, holdings, self.forgotten.extend)

    def add(self, key, kind=Kind.FILE, size=1, fetched_at=100.0):
        part = self.shelf.store.begin(Key(key))
        part.append([b"x" * size])
        entry = Entry(Key(key), kind, size, "sha256:0", "https://a.example/", fetched_at=fetched_at)
        self.shelf._admit(part, entry)
        part.close()

    def keys(self):
        return {entry.key for entry in self.shelf.catalogue.entries(limit=10_000)}


@contextmanager
def stocked(folder):
    store = DiskStore(folder)
    store.prepare()
    catalogue = SqliteCatalogue(folder / "catalogue.sqlite")
    holdings = SqliteHoldings(folder / "catalogue.sqlite")
    blocking, clock = Blocking(1), ManualClock()
    room = Room(Limits(1 << 30), store, catalogue, blocking, clock)
    try:
        yield Stock(Shelf(store, catalogue, room, blocking, clock), holdings)
    finally:
        blocking.close()
        holdings.close()
        catalogue.close()
        store.close()


@pytest.fixture
def stock(tmp_path):
    with stocked(tmp_path) as stock:
        for index in ("pypi", "torch"):
            stock.add(f"{index}/simple/demo.page", Kind.PAGE)
            stock.add(f"{index}/{DIGEST}/demo-1.0-py3-none-any.whl")
            stock.add(f"{index}/{DIGEST}/demo-1.0-py3-none-any.whl.metadata", Kind.METADATA)
            stock.add(f"{index}/{DIGEST}/demo-2.0.tar.gz", fetched_at=200.0)
            stock.add(f"{index}/{DIGEST}/demo_more-1.0.tar.gz")
        stock.add("pypi/simple.page", Kind.LIST)
        yield stock


def gone(stock, before):
    names = {key.replace(f"{DIGEST}/", "") for key in before - stock.keys()}
    assert files_below(stock.shelf.store.root) == stock.keys()
    assert sorted(stock.forgotten) == sorted(before - stock.keys())
    return names


async def test_all_goes_when_nothing_is_said(stock):
    before = stock.keys()
    assert await stock.purge.run(Selection()) == Purged(11, 11)
    assert len(gone(stock, before)) == 11
    assert stock.keys() == set()


async def test_a_project_goes_with_its_page_and_no_other(stock):
    before = stock.keys()
    await stock.purge.run(Selection(ProjectName("demo"), index="pypi"))
    assert gone(stock, before) == {
        "pypi/simple/demo.page",
        "pypi/demo-1.0-py3-none-any.whl",
        "pypi/demo-1.0-py3-none-any.whl.metadata",
        "pypi/demo-2.0.tar.gz",
    }


@pytest.mark.parametrize("version", ["1.0", "1", "v1.0.0"])
async def test_a_version_goes_in_any_spelling_and_the_page_stays(stock, version):
    before = stock.keys()
    await stock.purge.run(Selection(ProjectName("demo"), version, "torch"))
    assert gone(stock, before) == {
        "torch/demo-1.0-py3-none-any.whl",
        "torch/demo-1.0-py3-none-any.whl.metadata",
    }


async def test_what_is_not_older_than_the_bound_stays(stock):
    before = stock.keys()
    await stock.purge.run(Selection(stored_before=200.0, index="pypi"))
    assert stock.keys() - {key for key in before if key.startswith("torch/")} == {
        f"pypi/{DIGEST}/demo-2.0.tar.gz"
    }


async def test_nothing_that_matches_is_nothing_removed(stock):
    before = stock.keys()
    assert await stock.purge.run(Selection(ProjectName("absent"))) == Purged(0, 0)
    assert stock.keys() == before


async def test_trouble_with_the_catalogue_is_told(stock):
    stock.purge._holdings.close()
    with pytest.raises(StoreError):
        await stock.purge.run(Selection(ProjectName("demo")))


PROJECTS, VERSIONS, INDEXES = ["demo", "demo-more", "six"], ["1.0", "1", "2.0", "1.0.dev1"], ["pypi", "torch"]


@st.composite
def objects(draw):
    """Give what is stored: (index, project, version or None for a page, age) with its key and kind."""
    index, project = draw(st.sampled_from(INDEXES)), draw(st.sampled_from(PROJECTS))
    version, stored = draw(st.none() | st.sampled_from(VERSIONS)), float(draw(st.integers(0, 5)))
    if version is None:
        return (index, project, None, stored), f"{index}/simple/{project}.page", Kind.PAGE
    name = f"{project.replace('-', '_')}-{version}.tar.gz"
    kind = draw(st.sampled_from([Kind.FILE, Kind.METADATA]))
    suffix = ".metadata" if kind is Kind.METADATA else ""
    return (index, project, version, stored), f"{index}/{DIGEST}/{name}{suffix}", kind


selections = st.builds(
    lambda project, version, index, before: Selection(project, version if project else None, index, before),
    st.none() | st.sampled_from(PROJECTS),
    st.none() | st.sampled_from(VERSIONS),
    st.none() | st.sampled_from(INDEXES),
    st.none() | st.integers(0, 6).map(float),
)


def is_meant(selection, index, project, version, stored):
    same = {"1": "1.0"}
    return (
        selection.project in (None, project)
        and selection.index in (None, index)
        and (selection.stored_before is None or stored < selection.stored_before)
        and (
            selection.version is None
            or (
                version is not None
                and same.get(version, version) == same.get(selection.version, selection.version)
            )
        )
    )


@given(st.lists(objects(), max_size=12, unique_by=lambda found: found[1]), selections)
@settings(max_examples=40)
def test_exactly_what_is_selected_goes(tmp_path_factory, stored, selection):
    with stocked(tmp_path_factory.mktemp("stock")) as stock:
        for facts, key, kind in stored:
            stock.add(key, kind, 3, facts[-1])
        asyncio.run(stock.purge.run(selection))
        kept = {key for facts, key, _ in stored if not is_meant(selection, *facts)}
        assert stock.keys() == kept
        assert files_below(stock.shelf.store.root) == kept
        assert set(stock.forgotten) == {key for _, key, _ in stored} - kept
