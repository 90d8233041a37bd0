from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cheesebox.commons.hours import HOUR, Hour, hour_of, is_unused

TIMES = st.floats(min_value=0, max_value=4e9)
SPANS = st.floats(min_value=1, max_value=1e8)


@given(TIMES)
def test_a_time_is_within_its_hour(time: float) -> None:
    assert hour_of(time) * HOUR <= time < (hour_of(time) + 1) * HOUR


@given(TIMES, TIMES, SPANS)
def test_what_is_called_unused_was_not_used_for_so_long(used: float, now: float, unused_for: float) -> None:
    if is_unused(hour_of(used), now, unused_for):
        assert now - used >= unused_for * (1 - 1e-9)


@given(TIMES, SPANS)
def test_what_was_not_used_for_an_hour_longer_is_called_unused(used: float, unused_for: float) -> None:
    assert is_unused(hour_of(used), used + unused_for + HOUR + 1, unused_for)


@given(TIMES)
def test_nothing_is_too_new_when_no_time_is_asked_for(now: float) -> None:
    assert is_unused(Hour(hour_of(now) + 1), now, 0)
