from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.simple.moments import parse_moment, show_moment

OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def test_a_day_is_its_last_microsecond_in_utc():
    assert parse_moment("2024-02-29") == datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T18:00:00Z",
        "2026-01-31t18:00:00z",
        "2026-01-31T18:00:00.000000Z",
        "2026-01-31T19:30:00+01:30",
        "2026-01-31T16:00:00-02:00",
    ],
)
def test_a_time_is_read_with_its_offset(text):
    assert parse_moment(text) == datetime(2026, 1, 31, 18, tzinfo=UTC)


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), OFFSETS)  # noqa: DTZ001 - the offset is drawn
def test_what_is_shown_is_read_back(time, offset):
    moment = time.replace(tzinfo=offset)
    assert parse_moment(show_moment(moment)) == moment
    assert parse_moment(show_moment(moment)).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "2026-1-31",
        "20260131",
        "2026-W05-6",
        "2026-01-31T18:00:00",
        "2026-01-31T18:00Z",
        "2026-01-31 18:00:00Z",
        "2026-01-31T18:00:00Z\n",
        "２０２６-01-31",
    ],
)
def test_other_forms_are_refused(text):
    with pytest.raises(ValueError, match="is no moment: give a day such as 2026-01-31 or a time"):
        parse_moment(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29",
        "2026-13-01",
        "0000-01-01",
        "9999-12-31",
        "2026-01-31T25:00:00Z",
        "0001-01-01T00:00:00+05:00",
    ],
)
def test_what_is_not_in_the_calendar_is_refused(text):
    with pytest.raises(ValueError, match="is not in the calendar"):
        parse_moment(text)


@given(st.text())
def test_no_text_makes_it_crash(text):
    try:
        parse_moment(text)
    except ValueError as error:
        assert "moment" in str(error) or "calendar" in str(error)  # noqa: PT017 - most are refused
