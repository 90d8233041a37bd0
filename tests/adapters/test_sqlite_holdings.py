"""The catalogue looked at from all sides."""

from __future__ import annotations

import pytest

from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.adapters.sqlite_holdings import SqliteHoldings
from cheesebox.errors import StoreError
from cheesebox.ports import Entry, Key, Kind, KindSum, Order, ProjectSum

DIGEST = "packages/aa/bb/" + "0" * 60


def entry(key, kind=Kind.FILE, size=10, **facts):
    return Entry(Key(key), kind, size, "sha256:0", "https://a.example/", **facts)


def store(catalogue, *entries):
    for one in entries:
        catalogue.announce(one)
        catalogue.confirm(one.key)


# Characters that mean something in a URI, by which the file is opened.
@pytest.fixture(params=["plain", "a#b?c%20d &ü"])
def path(request, tmp_path):
    folder = tmp_path / request.param
    folder.mkdir()
    return folder / "catalogue.sqlite"


@pytest.fixture
def catalogue(path):
    catalogue = SqliteCatalogue(path)
    store(
        catalogue,
        entry("pypi/simple/six.page", Kind.PAGE, 5, fetched_at=1.0, last_used=9.0, hits=7),
        entry(f"pypi/{DIGEST}/six-1.0.tar.gz", size=30, fetched_at=2.0, last_used=3.0, hits=1),
        entry(f"torch/{DIGEST}/torch-2.0.tar.gz", size=500, fetched_at=8.0, last_used=4.0, hits=2),
        entry(f"torch/{DIGEST}/torch-2.0.tar.gz.metadata", Kind.METADATA, 1, fetched_at=3.0, last_used=1.0),
        entry("pypi/simple.page", Kind.LIST, 100, fetched_at=9.0),
    )
    catalogue.announce(entry(f"pypi/{DIGEST}/half-1.0.tar.gz", size=9999))
    yield catalogue
    catalogue.close()


@pytest.fixture
def holdings(catalogue, path):
    assert catalogue.totals().entries
    holdings = SqliteHoldings(path)
    yield holdings
    holdings.close()


SIX = ProjectSum("six", files=1, size=35, hits=8, last_used=9.0, stored_at=2.0)
TORCH = ProjectSum("torch", files=1, size=501, hits=2, last_used=4.0, stored_at=8.0)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.NAME, [SIX, TORCH]),
        (Order.SIZE, [TORCH, SIX]),
        (Order.HITS, [SIX, TORCH]),
        (Order.USED, [SIX, TORCH]),
        (Order.STORED, [TORCH, SIX]),
    ],
)
def test_projects_are_summed_up_in_each_order(holdings, order, expected):
    assert holdings.projects("", order, 10) == expected


def test_projects_come_in_parts(holdings):
    assert [holdings.projects("", Order.NAME, 1, offset) for offset in range(3)] == [[SIX], [TORCH], []]


@pytest.mark.parametrize(("search", "found"), [("or", [TORCH]), ("%", []), ("_", []), ("six", [SIX])])
def test_a_search_takes_its_text_as_it_is(holdings, search, found):
    assert holdings.projects(search, Order.NAME, 10) == found


def test_objects_of_a_project_come_in_the_order_of_their_keys(holdings):
    found = holdings.objects("torch")
    assert [one.key.rpartition("/")[2] for one in found] == ["torch-2.0.tar.gz", "torch-2.0.tar.gz.metadata"]
    assert found[0] == entry(
        f"torch/{DIGEST}/torch-2.0.tar.gz", size=500, fetched_at=8.0, last_used=4.0, hits=2
    )


def test_newest_and_largest_are_files_alone(holdings):
    assert [one.size for one in holdings.newest(10)] == [500, 30]
    assert [one.size for one in holdings.largest(1)] == [500]


def test_sums_tell_of_each_index_and_kind(holdings):
    assert sorted(holdings.sums(), key=str) == [
        KindSum("pypi", Kind.FILE, 1, 30),
        KindSum("pypi", Kind.LIST, 1, 100),
        KindSum("pypi", Kind.PAGE, 1, 5),
        KindSum("torch", Kind.FILE, 1, 500),
        KindSum("torch", Kind.METADATA, 1, 1),
    ]


def test_what_is_stored_later_is_seen(holdings, catalogue):
    store(catalogue, entry(f"pypi/{DIGEST}/new-1.0.tar.gz"))
    assert [one.project for one in holdings.projects("new", Order.NAME, 10)] == ["new"]


def test_a_catalogue_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StoreError, match="cannot be looked through"):
        SqliteHoldings(tmp_path / "none.sqlite")
