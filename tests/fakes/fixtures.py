"""The doubles as pytest fixtures; ``tests/conftest.py`` loads this module as a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.faults import Gate
from tests.fakes.pypi import FakePyPI

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pypi() -> Iterator[FakePyPI]:
    """A fresh index without projects."""
    with FakePyPI() as index:
        yield index


@pytest.fixture
def pypi_with_file_host() -> Iterator[FakePyPI]:
    """A fresh index whose files lie on another host (port)."""
    with FakePyPI(separate_file_host=True) as index:
        yield index


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open at the end of the test at the latest."""
    held = Gate()
    yield held
    held.release()
