"""What is counted: the ledger, sums over it, and the history by the hour."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cache.freshness import Verdict
from cheesebox.cache.history import HOUR, KEPT_HOURS, Recorder, gained, hour_of
from cheesebox.cache.ledger import ANSWERED, FAILED, UPSTREAM, Ledger
from cheesebox.cache.sums import HITS, MISSES, STALE, Sums, summed
from cheesebox.errors import StoreError
from cheesebox.ports import Count, Tally
from tests.cache.fakes import ManualClock

PAGE_HIT = Tally("pypi", "page", "HIT")
FETCHED = Tally("pypi", UPSTREAM, ANSWERED)
OUTCOMES = [verdict.value for verdict in Verdict] + ["-"]
sizes = st.integers(0, 1 << 40)
tallies = st.builds(
    Tally,
    st.sampled_from(["pypi", "torch", ""]),
    st.sampled_from(["page", "file"]),
    st.sampled_from(OUTCOMES),
) | st.builds(Tally, st.just("pypi"), st.just(UPSTREAM), st.sampled_from([ANSWERED, FAILED]))
events = st.lists(st.tuples(tallies, sizes))


class ListedHistory:
    """A history in memory that can be told to fail."""

    def __init__(self) -> None:
        self.counted: Counter[tuple[int, Tally, str]] = Counter()
        self.pruned: list[int] = []
        self.fails = False

    def add(self, counts):
        if self.fails:
            raise StoreError("the disk is full")
        for one in counts:
            self.counted[one.hour, one.tally, "answers"] += one.count.answers
            self.counted[one.hour, one.tally, "bytes"] += one.count.bytes

    def prune(self, before):
        self.pruned.append(before)


def ledger_of(happened):
    ledger = Ledger()
    for tally, size in happened:
        ledger.count(tally, size)
    return ledger


@given(events)
def test_the_ledger_loses_nothing_and_keeps_upstreams_apart(happened):
    statistics = ledger_of(happened).statistics()
    assert sum(count.answers for count in statistics.tallies.values()) == len(happened)
    assert sum(count.bytes for count in statistics.tallies.values()) == sum(size for _, size in happened)
    answered = [(tally, size) for tally, size in happened if tally.kind != UPSTREAM]
    assert sum(n for n, _ in statistics.answers.values()) == len(answered)
    assert sum(size for _, size in statistics.answers.values()) == sum(size for _, size in answered)
    assert UPSTREAM not in {kind for kind, _ in statistics.answers}


def test_what_was_told_before_does_not_change_with_later_counts():
    ledger = ledger_of([(PAGE_HIT, 5)])
    before = ledger.statistics()
    ledger.count(PAGE_HIT, 5)
    assert before.tallies == {PAGE_HIT: Count(1, 5)}


def test_every_cache_status_is_a_hit_or_a_miss():
    assert {verdict.value for verdict in Verdict} == HITS | MISSES
    assert not HITS & MISSES
    assert STALE < HITS


@given(events)
def test_sums_add_up(happened):
    sums = summed(ledger_of(happened).statistics().tallies.items())
    with_status = [size for tally, size in happened if tally.kind != UPSTREAM and tally.outcome != "-"]
    assert sums.hits + sums.misses == len(with_status)
    assert sums.sent == sum(with_status)
    assert sums.fetched == sum(size for tally, size in happened if tally.kind == UPSTREAM)
    assert sums.saved == max(0, sums.sent - sums.fetched)
    assert sums.stale <= sums.hits
    assert (sums.ratio is None) == (not with_status)


def test_the_ratio_is_the_share_of_hits():
    assert Sums(hits=3, misses=1).ratio == 0.75


@given(events, events)
def test_what_was_gained_is_what_happened_between_two_looks(first, second):
    before = ledger_of(first).statistics().tallies
    after = ledger_of(first + second).statistics().tallies
    assert gained(before, after) == ledger_of(second).statistics().tallies


@given(st.floats(0, 1e11))
def test_an_hour_begins_on_the_hour(now):
    start = hour_of(now)
    assert start % HOUR == 0
    assert start <= now < start + HOUR


def test_counts_go_into_the_hour_in_which_they_are_noted():
    ledger, history, clock = Ledger(), ListedHistory(), ManualClock(10 * HOUR)
    recorder = Recorder(history, clock)
    ledger.count(PAGE_HIT, 5)
    recorder.note(ledger.statistics().tallies)
    recorder.note(ledger.statistics().tallies)
    clock.pass_time(HOUR)
    ledger.count(PAGE_HIT, 7)
    ledger.count(FETCHED, 9)
    recorder.note(ledger.statistics().tallies)
    assert history.counted == {
        (10 * HOUR, PAGE_HIT, "answers"): 1,
        (10 * HOUR, PAGE_HIT, "bytes"): 5,
        (11 * HOUR, PAGE_HIT, "answers"): 1,
        (11 * HOUR, PAGE_HIT, "bytes"): 7,
        (11 * HOUR, FETCHED, "answers"): 1,
        (11 * HOUR, FETCHED, "bytes"): 9,
    }


def test_what_could_not_be_written_is_written_with_the_next():
    ledger, history = Ledger(), ListedHistory()
    recorder = Recorder(history, ManualClock(10 * HOUR))
    ledger.count(PAGE_HIT, 5)
    history.fails = True
    with pytest.raises(StoreError):
        recorder.note(ledger.statistics().tallies)
    history.fails = False
    ledger.count(PAGE_HIT, 5)
    recorder.note(ledger.statistics().tallies)
    assert history.counted[10 * HOUR, PAGE_HIT, "answers"] == 2


def test_old_hours_are_removed_once_an_hour():
    history, clock = ListedHistory(), ManualClock(1000 * HOUR)
    recorder = Recorder(history, clock)
    for _ in range(3):
        recorder.note({})
    clock.pass_time(HOUR)
    recorder.note({})
    assert history.pruned == [(1000 - KEPT_HOURS) * HOUR, (1001 - KEPT_HOURS) * HOUR]
