from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.caches import fetch
from tests.fakes.cheesebox_process import CheeseboxProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.pypi import FakeFile, FakePyPI


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def wheels(pypi: FakePyPI) -> tuple[FakeFile, ...]:
    """Two versions of demo, one of Other_Thing."""
    return pypi.add_wheel("demo", "1.0"), pypi.add_wheel("demo", "1.10"), pypi.add_wheel("other-thing", "2.0")


@pytest.fixture
def box(pypi: FakePyPI, cache: Path, wheels: tuple[FakeFile, ...]) -> Iterator[CheeseboxProcess]:
    """A server that has demo's page and all wheels, each asked for twice."""
    with CheeseboxProcess(pypi.simple_url, cache, env={"CHEESEBOX_ADMIN_TOKEN": "open-sesame"}) as running:
        for url in (f"{running.url}demo/", *(f"{running.mount_url}{wheel.path}" for wheel in wheels)):
            assert [fetch(url)[0], fetch(url)[0]] == ["MISS", "HIT"]
        yield running
