"""Engines that the nodes of a module share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.nodes.house import Engines, running_engines

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """They may have been stopped by a test before."""
    with running_engines(tmp_path_factory.mktemp("engines")) as both:
        yield both
