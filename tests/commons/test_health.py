"""An engine in trouble is left alone for a while, then tried by one call."""

from __future__ import annotations

import asyncio

import pytest

from cheesebox.commons.health import Health
from cheesebox.errors import EngineError, ObjectMissing
from tests.cache.fakes import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def health(clock: ManualClock) -> Health:
    return Health("the register", clock)


def fail(health: Health, reason: str = "refused") -> None:
    with pytest.raises(EngineError, match=reason), health.watching():
        raise EngineError(reason)


def succeed(health: Health) -> None:
    with health.watching():
        pass


def test_after_a_failure_calls_fail_at_once_until_the_rest_is_over(
    health: Health, clock: ManualClock
) -> None:
    fail(health)
    assert health.is_resting
    with pytest.raises(EngineError, match="left alone for a while: refused"), health.watching():
        pytest.fail("it was asked")
    clock.pass_time(0.5)
    assert not health.is_resting
    succeed(health)
    assert health.trouble == ""


def test_each_failure_in_a_row_doubles_the_rest_up_to_its_bound(health: Health, clock: ManualClock) -> None:
    rests = []
    for _ in range(9):
        fail(health)
        rest = 0.0
        while health.is_resting:
            clock.pass_time(0.25)
            rest += 0.25
        rests.append(rest)
    assert rests == [0.5, 1, 2, 4, 8, 15, 15, 15, 15]
    succeed(health)
    fail(health)
    clock.pass_time(0.5)
    assert not health.is_resting, "after a success it begins anew"


def test_one_call_tries_while_the_others_do_without(health: Health, clock: ManualClock) -> None:
    fail(health)
    clock.pass_time(1)
    with health.watching():
        assert health.is_resting
        with pytest.raises(EngineError), health.watching():
            pytest.fail("two have tried")
    assert not health.is_resting


def test_a_trial_that_fails_is_followed_by_a_rest(health: Health, clock: ManualClock) -> None:
    fail(health)
    clock.pass_time(1)
    fail(health, "refused again")
    assert health.is_resting
    assert health.trouble == "refused again"


def test_a_trial_that_is_broken_off_shows_nothing(health: Health, clock: ManualClock) -> None:
    fail(health)
    clock.pass_time(1)
    with pytest.raises(asyncio.CancelledError), health.watching():
        raise asyncio.CancelledError
    assert not health.is_resting, "the next call tries"
    assert health.trouble == "refused"


def test_calls_that_fail_together_are_one_failure_in_a_row(health: Health, clock: ManualClock) -> None:
    with pytest.raises(EngineError), health.watching():  # noqa: PT012 - one call within another
        fail(health)
        raise EngineError("refused")
    clock.pass_time(0.5)
    assert not health.is_resting
    assert health.statistics().failures == 2


def test_an_object_that_is_missing_is_no_trouble_of_the_storage(health: Health, clock: ManualClock) -> None:
    fail(health)
    clock.pass_time(1)
    with pytest.raises(ObjectMissing), health.watching():
        raise ObjectMissing("no such object")
    assert health.trouble == ""
    assert not health.is_resting
