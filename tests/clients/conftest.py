"""What the clients share: an index with two projects, and cheesebox before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.fakes.cheesebox_process import CheeseboxProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.index_pages import FakeFile
    from tests.fakes.pypi import FakePyPI


@dataclass(frozen=True, slots=True)
class Shop:
    """What the index offers: ``demo`` in two versions, and ``helper``, which both need."""

    old: FakeFile
    new: FakeFile
    helper: FakeFile


@pytest.fixture
def shop(pypi: FakePyPI) -> Shop:
    return Shop(
        old=pypi.add_wheel("demo", "1.0", requires=["helper>=1"], upload_time="2025-01-01T00:00:00.000000Z"),
        new=pypi.add_wheel("demo", "2.0", requires=["helper>=1"], upload_time="2025-03-01T00:00:00.000000Z"),
        helper=pypi.add_wheel("helper", "1.5", upload_time="2025-01-01T00:00:00.000000Z"),
    )


@pytest.fixture
def box(pypi: FakePyPI, shop: Shop, tmp_path: Path) -> Iterator[CheeseboxProcess]:
    """Cheesebox before the index, which has its projects by then."""
    assert shop.new.project == "demo"
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cheesebox") as process:
        yield process
