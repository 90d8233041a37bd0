"""Numbers and times as people read them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cheesebox.web.dashboard import figures

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50.0 %"),
        (0.99999, "> 99.9 %"),
        (0.00001, "< 0.1 %"),
        (0.999, "99.9 %"),
    ],
)
def test_only_what_is_whole_is_written_as_whole(share, text):
    assert figures.percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (0.4, "now"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (7199, "1 h ago"),
        (86400 * 400, "400 d ago"),
        (-90, "in 1 min"),
    ],
)
def test_a_time_is_told_by_its_distance(seconds, text):
    assert figures.ago(NOW, NOW - seconds) == text


def test_what_never_happened_is_told_so():
    assert figures.ago(NOW, 0) == figures.moment(0) == "never"


def test_a_time_is_absolute_in_utc():
    assert figures.moment(NOW) == "2027-01-15 08:00:00 UTC"
    assert figures.machine_time(NOW) == "2027-01-15T08:00:00Z"


@pytest.mark.parametrize(("seconds", "text"), [(0, "–"), (0.0002, "1 ms"), (0.038, "38 ms"), (1.5, "1.50 s")])
def test_latency_has_a_unit(seconds, text):
    assert figures.latency(seconds) == text


def test_counted_things_agree_with_their_number():
    assert figures.counted(1, "miss", "misses") == "1 miss"
    assert figures.counted(2345, "file") == "2,345 files"


@given(st.text())
def test_a_name_cut_into_pieces_is_the_same_name(name):
    assert "".join(figures.pieces(name)) == name


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
@example(now=-1e308, at=1e308)
def test_any_two_times_can_be_written(now, at):
    assert figures.ago(now, at)
    assert figures.moment(at)
    assert figures.machine_time(at)
