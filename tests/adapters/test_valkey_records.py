from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.adapters.valkey.records import Skew, arguments_of, record_of
from cheesebox.engines import ObjectName, Record
from cheesebox.ports import Entry, Key, Kind

NOW = 1_800_000_000.0

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ENTRIES = st.builds(
    Entry,
    key=TEXTS.map(Key),
    kind=st.sampled_from(Kind),
    size=st.integers(0, 2**52),
    digest=TEXTS,
    origin=TEXTS,
    location=TEXTS,
    etag=TEXTS,
    last_modified=TEXTS,
    content_type=TEXTS,
    serial=st.none() | st.integers(0, 2**62),
    fetched_at=st.floats(NOW - 1e8, NOW),
    validated_at=st.floats(NOW - 1e8, NOW),
)


def over(record: Record, server: float, skew: Skew) -> Record | None:
    """Send a record to a server whose clock says ``server``, and back."""
    name, size, validated_age, fetched_age, facts = arguments_of(record, NOW)
    times = (round(server * 1000) - int(age) for age in (validated_age, fetched_age))
    return record_of([record.entry.key.encode(), str(name).encode(), size, *times, facts], skew)


@given(ENTRIES, TEXTS.map(ObjectName), st.floats(-1e6, 1e6))
def test_a_record_goes_over_and_comes_back_the_same(entry: Entry, name: ObjectName, ahead: float) -> None:
    skew = Skew()
    skew.observe(NOW, NOW, NOW - ahead)
    back = over(Record(entry, name), NOW - ahead, skew)
    assert back is not None
    assert back.name == name
    assert back.entry.fetched_at == pytest.approx(entry.fetched_at, abs=0.01)
    assert back.entry.validated_at == pytest.approx(entry.validated_at, abs=0.01)
    assert replace(back.entry, fetched_at=0.0, validated_at=0.0) == replace(
        entry, fetched_at=0.0, validated_at=0.0
    )


def test_what_was_validated_in_the_future_was_validated_now() -> None:
    entry = Entry(Key("k"), Kind.FILE, 1, "", "", validated_at=NOW + 500)
    skew = Skew()
    skew.observe(NOW, NOW, NOW)
    back = over(Record(entry, ObjectName("n")), NOW, skew)
    assert back is not None
    assert back.entry.validated_at == NOW


@given(st.lists(st.floats(0, 0.4)))
def test_slow_answers_do_not_move_the_time(waits: list[float]) -> None:
    skew, server = Skew(), NOW - 7200
    skew.observe(NOW, NOW, server)
    for wait in waits:
        skew.observe(NOW + 1, NOW + 1 + wait, server + 1 + wait / 2)
    assert skew.local(server) == NOW


def test_a_clock_that_was_set_moves_the_time() -> None:
    skew = Skew()
    skew.observe(NOW, NOW, NOW)
    skew.observe(NOW + 3600, NOW + 3600, NOW)
    assert skew.local(NOW) == NOW + 3600
