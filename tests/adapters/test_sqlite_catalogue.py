"""The catalogue: sums that agree, an order of use that lasts, and files that are broken, foreign or gone."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.errors import StoreError
from cheesebox.ports import Entry, Key, Kind, Totals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def entry_of(number: int, size: int = 10, used: float = 0.0) -> Entry:
    return Entry(
        Key(f"pypi/{number:04}"),
        Kind.FILE,
        size,
        "sha256:aa",
        "https://host.example/",
        serial=None if number % 2 else number,
        last_used=used,
    )


def store(catalogue: SqliteCatalogue, *entries: Entry) -> None:
    for entry in entries:
        catalogue.announce(entry)
        catalogue.confirm(entry.key)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite"


@pytest.fixture
def catalogue(path: Path) -> Iterator[SqliteCatalogue]:
    made = SqliteCatalogue(path)
    yield made
    made.close()


# ── what lookups see


def test_an_entry_comes_back_as_it_was_written(catalogue: SqliteCatalogue) -> None:
    entry = Entry(Key("pypi/a"), Kind.PAGE, 5, "d", "o", "l", "e", "m", "c", 7, 1.0, 2.0, 3.0, 4)
    store(catalogue, entry)
    assert catalogue.get(entry.key) == entry


def test_announced_and_doomed_entries_are_not_seen_but_count(catalogue: SqliteCatalogue) -> None:
    first, second = entry_of(1), entry_of(2)
    catalogue.announce(first)
    assert catalogue.get(first.key) is None
    assert catalogue.announced() == [first]
    store(catalogue, second)
    catalogue.doom([second.key])
    assert catalogue.get(second.key) is None
    assert catalogue.doomed() == [second]
    assert catalogue.entries() == []
    assert catalogue.oldest(10) == []
    assert catalogue.totals() == Totals(20, 2)


def test_forgetting_spares_what_was_announced_again(catalogue: SqliteCatalogue) -> None:
    entry = entry_of(1)
    store(catalogue, entry)
    catalogue.doom([entry.key])
    store(catalogue, entry)
    catalogue.forget([entry.key])
    assert catalogue.get(entry.key) == entry


def test_new_facts_replace_old_ones_and_the_rest_stays(catalogue: SqliteCatalogue) -> None:
    entry = entry_of(1, used=5.0)
    store(catalogue, entry)
    changed = replace(entry, etag='"new"', serial=9, validated_at=50.0, fetched_at=40.0, location="there")
    catalogue.revalidated(replace(changed, size=99))
    assert catalogue.get(entry.key) == changed


def test_entries_are_paged_through_in_the_order_of_their_keys(catalogue: SqliteCatalogue) -> None:
    store(catalogue, *(entry_of(number) for number in (3, 1, 2)))
    assert [entry.key for entry in catalogue.entries(limit=2)] == ["pypi/0001", "pypi/0002"]
    assert [entry.key for entry in catalogue.entries(Key("pypi/0002"))] == ["pypi/0003"]


def test_facts_are_remembered_over_restarts(path: Path) -> None:
    catalogue = SqliteCatalogue(path)
    assert catalogue.is_new
    catalogue.remember("name", "old")
    catalogue.remember("name", "value")
    catalogue.close()
    again = SqliteCatalogue(path)
    assert not again.is_new
    assert again.fact("name") == "value"
    assert again.fact("other") is None
    again.close()


# ── use


def test_the_order_of_use_survives_a_restart(path: Path) -> None:
    catalogue = SqliteCatalogue(path)
    store(catalogue, *(entry_of(number, used=float(number)) for number in (1, 2, 3)))
    catalogue.touch(Key("pypi/0001"), 10.0)
    catalogue.touch(Key("pypi/0001"), 11.0, 3)
    catalogue.close()
    again = SqliteCatalogue(path)
    assert [entry.key for entry in again.oldest(9)] == ["pypi/0002", "pypi/0003", "pypi/0001"]
    assert [entry.key for entry in again.oldest(9, used_before=3.0)] == ["pypi/0002"]
    used = again.get(Key("pypi/0001"))
    assert used is not None
    assert (used.last_used, used.hits) == (11.0, 4)
    again.close()


def test_uses_of_an_entry_that_is_gone_are_dropped(catalogue: SqliteCatalogue) -> None:
    catalogue.touch(Key("pypi/none"), 1.0)
    catalogue.flush()
    assert catalogue.totals() == Totals(0, 0)


def test_the_oldest_are_found_by_an_index(catalogue: SqliteCatalogue) -> None:
    plan = catalogue._writer.execute(
        "EXPLAIN QUERY PLAN SELECT key FROM entries WHERE last_used < 9 AND state = 0 "
        "ORDER BY last_used LIMIT 5"
    ).fetchall()
    text = " ".join(str(row[3]) for row in plan)
    assert "entries_by_use" in text
    assert "TEMP B-TREE" not in text


# ── threads


def test_threads_that_look_up_at_once_get_their_own_entries(catalogue: SqliteCatalogue) -> None:
    store(catalogue, *(entry_of(number) for number in range(40)))
    wrong: list[object] = []

    def look(offset: int) -> None:
        for turn in range(1500):
            key = Key(f"pypi/{(turn * 7 + offset) % 40:04}")
            found = catalogue.get(key)
            if found is None or found.key != key:
                wrong.append(found)

    threads = [threading.Thread(target=look, args=(offset,)) for offset in range(6)]
    for thread in threads:
        thread.start()
    for number in range(100):
        catalogue.remember("turn", str(number))
    for thread in threads:
        thread.join()
    assert wrong == []


# ── broken files


@pytest.mark.parametrize(
    "content",
    [
        b"this is no database at all, but long enough to be looked at" * 100,
        b"SQLite format 3\x00" + b"\xff" * 5000,
    ],
)
def test_a_broken_file_is_made_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    catalogue = SqliteCatalogue(path)
    assert catalogue.is_new
    store(catalogue, entry_of(1))
    catalogue.close()


def test_a_file_with_a_damaged_page_is_made_anew(path: Path) -> None:
    catalogue = SqliteCatalogue(path)
    store(catalogue, *(entry_of(number) for number in range(500)))
    catalogue.close()
    content = bytearray(path.read_bytes())
    content[-4096 * 3 :] = b"\x07" * (4096 * 3)
    path.write_bytes(content)
    again = SqliteCatalogue(path)
    assert again.is_new
    again.close()


@pytest.mark.parametrize(
    "statement", ["PRAGMA user_version = 99", "DROP TABLE totals", "ALTER TABLE entries DROP COLUMN etag"]
)
def test_a_file_of_another_schema_is_made_anew(path: Path, statement: str) -> None:
    SqliteCatalogue(path).close()
    other = sqlite3.connect(path)
    other.execute(statement)
    other.commit()
    other.close()
    catalogue = SqliteCatalogue(path)
    assert catalogue.is_new
    catalogue.close()


def test_a_locked_file_is_an_error_and_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = SqliteCatalogue(path)
    store(catalogue, entry_of(1))
    catalogue.close()
    connect = sqlite3.connect
    other = connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **options: connect(*args, **options | {"timeout": 0})
    )
    with pytest.raises(StoreError):
        SqliteCatalogue(path)
    other.close()
    again = SqliteCatalogue(path)
    assert again.get(Key("pypi/0001")) is not None
    again.close()


def test_a_path_that_cannot_be_a_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        SqliteCatalogue(tmp_path / "nowhere" / "catalogue.sqlite")


def test_a_file_deleted_under_the_program_is_made_anew_at_the_next_start(path: Path) -> None:
    catalogue = SqliteCatalogue(path)
    store(catalogue, entry_of(1))
    path.unlink()
    store(catalogue, entry_of(2))
    assert catalogue.totals() == Totals(20, 2)
    catalogue.close()
    again = SqliteCatalogue(path)
    assert again.is_new
    assert again.totals() == Totals(0, 0)
    again.close()


def test_a_full_disk_is_told_and_gone_when_there_is_room_again(catalogue: SqliteCatalogue) -> None:
    catalogue._writer.execute("PRAGMA max_page_count = 10")
    with pytest.raises(StoreError):
        store(catalogue, *(entry_of(number) for number in range(2000)))
    catalogue._writer.execute("PRAGMA max_page_count = 100000")
    store(catalogue, entry_of(5000))
    assert catalogue.get(Key("pypi/5000")) is not None
    assert catalogue.totals().entries == len(catalogue.entries(limit=5000)) + len(catalogue.announced())


def test_a_use_that_cannot_be_written_does_not_keep_the_file_open(path: Path) -> None:
    catalogue = SqliteCatalogue(path)
    store(catalogue, entry_of(1))
    catalogue.touch(Key("pypi/0001"), 5.0)
    catalogue._writer.execute("PRAGMA query_only = ON")
    catalogue.close()
    with pytest.raises(StoreError):
        catalogue.get(Key("pypi/0001"))


# ── the sums


class Sums(RuleBasedStateMachine):
    """Any sequence of calls leaves sums that a recount confirms."""

    keys = st.integers(0, 8)

    def __init__(self) -> None:
        super().__init__()
        self.catalogue = SqliteCatalogue(_memory())
        self.now = 0.0

    @rule(number=keys, size=st.integers(0, 1000))
    def announce(self, number: int, size: int) -> None:
        self.now += 1
        self.catalogue.announce(entry_of(number, size, self.now))

    @rule(number=keys)
    def confirm(self, number: int) -> None:
        self.catalogue.confirm(Key(f"pypi/{number:04}"))

    @rule(numbers=st.lists(keys, max_size=4))
    def doom(self, numbers: list[int]) -> None:
        self.catalogue.doom([Key(f"pypi/{number:04}") for number in numbers])

    @rule(numbers=st.lists(keys, max_size=4))
    def forget(self, numbers: list[int]) -> None:
        self.catalogue.forget([Key(f"pypi/{number:04}") for number in numbers])

    @rule(number=keys, size=st.integers(0, 1000))
    def revalidated(self, number: int, size: int) -> None:
        self.catalogue.revalidated(entry_of(number, size))

    @rule(number=keys)
    def touch(self, number: int) -> None:
        self.now += 1
        self.catalogue.touch(Key(f"pypi/{number:04}"), self.now)

    @precondition(lambda self: self.catalogue.totals().entries)
    @rule(count=st.integers(1, 3))
    def evict(self, count: int) -> None:
        victims = self.catalogue.oldest(count)
        assert [victim.last_used for victim in victims] == sorted(victim.last_used for victim in victims)
        self.catalogue.doom([victim.key for victim in victims])
        self.catalogue.forget([victim.key for victim in victims])

    @invariant()
    def sums_agree(self) -> None:
        counted = self.catalogue._writer.execute(
            "SELECT coalesce(sum(size), 0), count(*) FROM entries"
        ).fetchone()
        assert self.catalogue.totals() == Totals(*counted)
        seen = len(self.catalogue.entries())
        unsettled = len(self.catalogue.announced()) + len(self.catalogue.doomed())
        assert seen + unsettled == counted[1]

    def teardown(self) -> None:
        self.catalogue.close()


def _memory() -> Path:
    import tempfile
    from pathlib import Path

    return Path(tempfile.mkdtemp()) / "catalogue.sqlite"


TestSums = Sums.TestCase
TestSums.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
