"""Counts by the hour on disk."""

from __future__ import annotations

import sqlite3

import pytest

from cheesebox.adapters.sqlite_history import SqliteHistory
from cheesebox.errors import StoreError
from cheesebox.ports import Count, HourCount, Tally

PAGE, FILE = Tally("pypi", "page", "HIT"), Tally("pypi", "file", "MISS")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalogue.sqlite"


@pytest.fixture
def history(path):
    history = SqliteHistory(path)
    yield history
    history.close()


def test_counts_of_one_hour_add_up(history):
    history.add([HourCount(3600, PAGE, Count(1, 10)), HourCount(3600, FILE, Count(2, 20))])
    history.add([HourCount(3600, PAGE, Count(4, 40))])
    assert sorted(history.since(0), key=str) == [
        HourCount(3600, FILE, Count(2, 20)),
        HourCount(3600, PAGE, Count(5, 50)),
    ]


def test_hours_come_in_their_order_and_none_before_the_asked_one(history):
    history.add([HourCount(hour * 3600, PAGE, Count(hour, 0)) for hour in (3, 1, 2)])
    assert [found.hour for found in history.since(7200)] == [7200, 10800]


def test_counts_outlive_the_connection(history, path):
    history.add([HourCount(3600, PAGE, Count(1, 1 << 45))])
    again = SqliteHistory(path)
    assert again.since(0) == [HourCount(3600, PAGE, Count(1, 1 << 45))]
    again.close()


def test_old_hours_are_pruned(history):
    history.add([HourCount(hour * 3600, PAGE, Count(1, 0)) for hour in (1, 2, 3)])
    history.prune(7200)
    assert [found.hour for found in history.since(0)] == [7200, 10800]


def test_a_batch_that_fails_leaves_nothing_behind(history):
    bad = HourCount(3600, FILE, Count(None, 0))
    with pytest.raises(StoreError, match="history cannot be used"):
        history.add([HourCount(3600, PAGE, Count(1, 0)), bad])
    assert history.since(0) == []
    history.add([HourCount(3600, PAGE, Count(1, 0))])


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "broken").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError):
        SqliteHistory(tmp_path / "broken")


def test_a_closed_history_is_told(history):
    history.close()
    with pytest.raises(StoreError):
        history.since(0)


def test_another_writer_does_not_see_half_a_batch(history, path):
    history.add([HourCount(3600, PAGE, Count(1, 1)), HourCount(3600, FILE, Count(1, 1))])
    other = sqlite3.connect(path)
    assert other.execute("SELECT count(*) FROM history").fetchone() == (2,)
    other.close()
