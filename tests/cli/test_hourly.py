from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cli.hourly import HOUR, Span, bar, busiest, spans
from cheesebox.web.models import HourSum, Sum

SINCE = 500_000 * HOUR


def an_hour(position: int, hits: int, misses: int) -> HourSum:
    return HourSum(SINCE + position * HOUR, Sum(hits, misses, 0, hits * 10, 0, hits * 10, None))


counts = st.lists(st.tuples(st.integers(0, 839), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=30)


@given(counts, st.integers(1, 840), st.integers(1, 24))
def test_no_answer_is_lost_and_the_lines_are_never_too_many(found, hours, lines):
    sums = [an_hour(*each) for each in found if each[0] < hours]
    spanned = spans(sums, SINCE, hours, lines)
    assert len(spanned) <= lines
    assert sum(span.hits for span in spanned) == sum(hour.sum.hits for hour in sums)
    assert sum(span.misses for span in spanned) == sum(hour.sum.misses for hour in sums)
    starts = [span.start for span in spanned]
    assert starts == sorted(set(starts))


def test_hours_before_the_first_answer_are_left_out_and_later_gaps_are_not():
    spanned = spans([an_hour(2, 1, 0), an_hour(4, 1, 1)], SINCE, 6, 24)
    assert [(span.start - SINCE) // HOUR for span in spanned] == [2, 3, 4, 5]
    assert [span.ratio for span in spanned] == [1.0, None, 0.5, None]


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 80))
def test_a_bar_shows_all_that_is_not_zero_and_keeps_to_its_width(hits, misses, width):
    span = Span(SINCE, hits, misses)
    drawn = bar(span, busiest([span]), width)
    assert [length > 0 for length in drawn] == [hits > 0, misses > 0]
    assert sum(drawn) <= width + 1
