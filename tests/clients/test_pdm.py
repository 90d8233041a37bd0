from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.client import Client
from tests.clients.environments import PDM, prepare

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
dependencies = ["demo"]

[tool.pdm]
distribution = false

[[tool.pdm.source]]
name = "pypi"
url = "{url}"
verify_ssl = true
"""


@pytest.fixture
def pdm(tmp_path: Path) -> Client:
    return Client(prepare(PDM), tmp_path / "one")


def installed(client: Client, pattern: str) -> list[Path]:
    return list((client.project / ".venv").glob(f"lib/*/site-packages/{pattern}"))


def start(client: Client, url: str) -> Client:
    client.write("pyproject.toml", PROJECT.format(url=url))
    client.run("venv", "create", "--with", "venv", str(client.tool.python.resolve()))
    return client


def test_pdm_locks_and_syncs_and_again_with_the_upstream_gone(
    pdm: Client, box: CheeseboxProcess, pypi: FakePyPI, shop: Shop
) -> None:
    start(pdm, box.url).run("lock")
    lock = (pdm.project / "pdm.lock").read_text()
    assert f'{{file = "{shop.new.filename}", hash = "sha256:{shop.new.sha256}"}}' in lock
    assert pypi.count("*.whl") == 0
    pdm.run("sync")
    assert installed(pdm, "demo-2.0.dist-info")

    pypi.go_down()
    other = start(pdm.fresh("two"), box.url)
    other.run("install")
    assert (other.project / "pdm.lock").read_text() == lock
    assert installed(other, "helper-1.5.dist-info")
