from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.client import Client
from tests.clients.environments import POETRY, prepare

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.conftest import Shop
    from tests.fakes.cheesebox_process import CheeseboxProcess
    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
PROJECT = """\
[project]
name = "tiny"
version = "0"
requires-python = ">=3.11"
dependencies = ["{requirement}"]

[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "box"
url = "{url}"
priority = "primary"
"""


@pytest.fixture
def poetry(tmp_path: Path) -> Client:
    return Client(prepare(POETRY), tmp_path / "one")


def installed(client: Client, pattern: str) -> list[Path]:
    return list((client.project / ".venv").glob(f"lib/*/site-packages/{pattern}"))


def test_poetry_locks_and_installs_and_again_with_the_upstream_gone(
    poetry: Client, box: CheeseboxProcess, pypi: FakePyPI, shop: Shop
) -> None:
    poetry.write("pyproject.toml", PROJECT.format(url=box.url, requirement="demo"))
    poetry.run("lock")
    lock = (poetry.project / "poetry.lock").read_text()
    assert f'{{file = "{shop.new.filename}", hash = "sha256:{shop.new.sha256}"}}' in lock
    assert pypi.count("*.whl") == 0
    poetry.run("install")
    assert installed(poetry, "demo-2.0.dist-info")

    pypi.go_down()
    other = poetry.fresh("two")
    other.write("pyproject.toml", PROJECT.format(url=box.url, requirement="demo"))
    other.run("lock")
    assert (other.project / "poetry.lock").read_text() == lock
    other.run("install")
    assert installed(other, "helper-1.5.dist-info")


def test_poetry_reads_metadata_by_suffix_ranges_where_the_index_has_none(
    poetry: Client, box: CheeseboxProcess, pypi: FakePyPI
) -> None:
    pypi.add_wheel("bare", "1.0", requires=["helper"], metadata=False, size_padding=500_000)
    poetry.write("pyproject.toml", PROJECT.format(url=box.url, requirement="bare"))
    poetry.run("lock")
    assert 'name = "helper"' in (poetry.project / "poetry.lock").read_text()
