"""What pip and uv make of metadata that cheesebox reads out of wheels."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest

from tests.clients.client import Client
from tests.clients.environments import PIPS, UV, Tool, prepare
from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.fakes.distributions import wheel_without_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
MEGABYTE = 1024 * 1024
READ_METADATA = (PIPS[-2], PIPS[-1])
"""The pips that ask for metadata that is advertised."""


@pytest.fixture
def box(pypi: FakePyPI, tmp_path: Path) -> Iterator[CheeseboxProcess]:
    """Cheesebox before an index without metadata; the newest version of ``demo`` cannot be had."""
    for number in range(1, 6):
        missing = ("absent",) if number > 1 else ()
        pypi.add_wheel(
            "demo", f"{number}.0", requires=["helper>=1", *missing], metadata=False, size_padding=2 * MEGABYTE
        )
    pypi.add_wheel("helper", "1.5", metadata=False, size_padding=2 * MEGABYTE)
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cheesebox") as process:
        yield process


def resolved(tool: Tool, folder: Path, url: str) -> str:
    client = Client(prepare(tool), folder)
    if tool.name == "uv":
        client.write("requirements.in", "demo\n")
        command = ("pip", "compile", "--no-header", "--no-annotate", "--default-index", url)
        return client.run(*command, "requirements.in", UV_NO_CONFIG="1")
    return client.run("install", "--dry-run", "--ignore-installed", "--index-url", url, "demo")


@pytest.mark.parametrize("tool", [*READ_METADATA, UV], ids=str)
def test_a_resolve_that_backtracks_downloads_none_of_the_wheels_that_it_rejects(
    tool: Tool, box: CheeseboxProcess, pypi: FakePyPI, tmp_path: Path
) -> None:
    output = resolved(tool, tmp_path / "one", box.url)
    assert "demo==1.0\nhelper==1.5\n" in output or "Would install demo-1.0 helper-1.5" in output
    # Older pips download what they have chosen even in a dry run.
    looked_at = [answer for answer in pypi.answers if fnmatch(answer.request.path, "*/demo-[2-5]*.whl")]
    assert len(looked_at) == 4
    assert sum(answer.body_size for answer in looked_at) < MEGABYTE
    pypi.go_down()
    assert resolved(tool, tmp_path / "two", box.url)


@pytest.mark.parametrize("tool", [*READ_METADATA, UV], ids=str)
def test_a_wheel_without_metadata_is_left_aside(
    tool: Tool, box: CheeseboxProcess, pypi: FakePyPI, tmp_path: Path
) -> None:
    pypi.add_file("helper", "helper-2.0-py3-none-any.whl", wheel_without_metadata(), version="2.0")
    output = resolved(tool, tmp_path / "one", box.url)
    assert "helper-1.5" in output or "helper==1.5" in output
