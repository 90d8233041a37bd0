"""What all tests share."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["tests.fakes.fixtures"]

# How long an example takes tells of the machine, not of the law.
settings.register_profile("cheesebox", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cheesebox")


@pytest.fixture(autouse=True)
def logging_is_left_as_it_was() -> Iterator[None]:
    """Undo what a program under test sets up for its whole process."""
    loggers = [logging.getLogger(), logging.getLogger("uvicorn.error")]
    before = [(logger, logger.level, logger.handlers[:], logger.filters[:]) for logger in loggers]
    yield
    for logger, level, handlers, filters in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.filters[:] = filters
