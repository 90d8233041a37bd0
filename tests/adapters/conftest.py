"""Registers to test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .registers import MemoryPlace

if TYPE_CHECKING:
    from .registers import Place


@pytest.fixture(params=["memory"])
def place() -> Place:
    return MemoryPlace()
