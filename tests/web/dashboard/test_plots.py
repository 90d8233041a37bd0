"""Hours become bars, bars become geometry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cache.history import HOUR, KEPT_HOURS
from cheesebox.cache.sums import Sums
from cheesebox.web.dashboard.plots import HEIGHT, bytes_plot, ceiling, ratio_plot
from cheesebox.web.dashboard.series import DAY, MONTH, WEEK, WINDOWS, Bucket, buckets
from cheesebox.web.models import HourSum
from tests.web.dashboard.staged import sums

NOW = 1_800_012_345.0
windows = st.sampled_from(list(WINDOWS.values()))
sizes = st.integers(0, 10**15)
made_sums = st.builds(Sums, *[st.integers(0, 10**6)] * 3, sizes, sizes)


def row_of(window) -> st.SearchStrategy[list[Bucket]]:
    first, width = window.first(NOW), window.width
    each = st.lists(made_sums, min_size=window.bars, max_size=window.bars)
    return each.map(lambda found: [Bucket(first + n * width, s) for n, s in enumerate(found)])


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_a_window_has_all_its_bars_even_when_nothing_was_asked(window):
    made = buckets([], window, NOW)
    assert len(made) == window.bars
    assert made[-1].start <= NOW < made[-1].start + window.width


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_no_window_looks_further_back_than_history_is_kept(window):
    assert window.hours_back(NOW) <= KEPT_HOURS


@given(windows, st.integers(0, 2**32))
def test_bars_begin_at_the_same_times_from_one_look_to_the_next(window, now):
    assert window.first(now) % window.width == 0
    assert window.first(now) == window.first(now - now % window.width)


@given(windows, st.lists(st.tuples(st.integers(0, 23), st.integers(0, 99), st.integers(0, 99))))
def test_every_answer_within_the_window_is_in_one_bar(window, hours):
    last = int(NOW // HOUR) * HOUR
    rows = [HourSum(last - back * HOUR, sums(hits, misses)) for back, hits, misses in hours]
    inside = [row for row in rows if row.start >= window.first(NOW)]
    made = buckets(rows, window, NOW)
    assert sum(bar.sums.hits for bar in made) == sum(row.sum.hits for row in inside)
    assert sum(bar.sums.sent for bar in made) == sum(row.sum.sent for row in inside)


@given(st.data(), windows, st.sampled_from([ratio_plot, bytes_plot]))
def test_bars_stay_within_the_plot_and_parts_do_not_overlap(data, window, plot):
    made = plot(data.draw(row_of(window)), window)
    assert len(made.bars) == window.bars
    for bar in made.bars:
        assert 0 <= bar.x < made.width
        top = float(HEIGHT)
        for part in bar.parts:
            assert part.y >= -0.01
            assert part.y + part.height <= top + 0.02
            top = part.y


def test_a_bar_is_as_high_as_its_share():
    row = [Bucket(0, Sums(hits=3, misses=1))]
    (bar,) = ratio_plot(row, DAY).bars
    assert [(part.look, part.height) for part in bar.parts] == [("part-hit", 75), ("part-miss", 25)]
    assert bar.says == "00:00: 75.0 % of 4 answers"


def test_an_hour_in_which_nothing_was_asked_has_no_bar():
    (bar,) = ratio_plot([Bucket(0, Sums())], DAY).bars
    assert bar.parts == ()
    assert bar.says == "00:00: nothing asked"


def test_the_words_of_a_plot_tell_what_its_bars_show():
    row = [Bucket(0, Sums(hits=1, misses=1)), Bucket(3600, Sums(hits=9, misses=1))]
    assert ratio_plot(row, DAY).description == (
        "83.3 % of 12 answers came from the cache; between 50.0 % and 90.0 % a bar."
    )


def test_days_are_named_by_their_date_and_hours_by_the_clock():
    midnight = 1_799_971_200
    row = [Bucket(midnight, Sums())]
    assert [ratio_plot(row, window).ticks[0] for window in (DAY, WEEK, MONTH)] == [
        "00:00",
        "Jan 15, 00:00",
        "Jan 15",
    ]


@given(st.integers(0, 10**18))
def test_the_scale_ends_at_a_round_number_not_below_the_highest(value):
    top = ceiling(value)
    assert top >= value
    assert str(int(top)).rstrip("0") in {"1", "2", "5"}
    assert top <= max(1, value * 2.5)
