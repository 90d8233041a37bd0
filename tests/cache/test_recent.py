"""The last noteworthy things."""

from __future__ import annotations

import logging

import pytest

from cheesebox.cache.recent import Recent


@pytest.fixture
def recent():
    return Recent()


@pytest.fixture
def log(recent):
    logger = logging.getLogger("apart")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(recent)
    yield logger
    logger.removeHandler(recent)


def test_warnings_and_errors_are_kept_and_lesser_records_are_not(recent, log):
    log.info("all is well")
    log.warning("refetch %s", "demo")
    log.error("uses not written down")
    assert [(event.level, event.text) for event in recent.events()] == [
        ("error", "uses not written down"),
        ("warning", "refetch demo"),
    ]


def test_a_repeated_text_is_kept_once_and_moves_to_the_front(recent, log):
    log.warning("first")
    log.warning("second")
    log.warning("first")
    assert [event.text for event in recent.events()] == ["first", "second"]


def test_a_stale_answer_is_an_event_of_its_own_kind(recent):
    recent.stale(5.0, "/pypi/simple/demo/")
    recent.stale(7.0, "/pypi/simple/demo/")
    assert recent.events() == [(7.0, "stale", "/pypi/simple/demo/")]


def test_only_the_last_ones_are_kept(recent, log):
    for number in range(500):
        log.warning("%d", number)
    texts = [event.text for event in recent.events()]
    assert (len(texts), texts[0], texts[-1]) == (200, "499", "300")
