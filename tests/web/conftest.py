"""The application in front of the index double."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tests.fakes.distributions import incompressible
from tests.fakes.index_pages import file_path
from tests.fakes.pypi import FakePyPI
from tests.web.running import Running, run_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.index_pages import FakeFile
MEGABYTE = 1024 * 1024


@pytest.fixture
def launch(tmp_path, pypi) -> Iterator[Callable[..., Running]]:
    """Start applications in front of the double; each has a cache of its own."""
    with ExitStack() as stack:

        def launch_one(**options) -> Running:
            name = f"cache{len(list(tmp_path.iterdir()))}"
            options = {"upstream": pypi.simple_url, **options}
            return stack.enter_context(run_app(tmp_path / name, **options))

        yield launch_one


@pytest.fixture
def box(launch) -> Running:
    """An application with an empty cache."""
    return launch()


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """A double and an application that the tests of a module share: they change neither."""
    with FakePyPI() as pypi:
        wheel = pypi.add_wheel(
            "Some.Project", "1.0", requires_python=">=3.8,<4", provenance={"version": 1, "attestations": []}
        )
        sdist = pypi.add_sdist("some-project", "1.0")
        local = _add(pypi, "some_project-2.0+local.1.tar.gz", yanked='broken: "<&>" \n ü')
        epoch = _add(pypi, "some-project-1!3.0.tar.gz")
        space = _add(pypi, "some project-4.0.zip")
        large = pypi.add_file(
            "large",
            "large-1.0-py3-none-any.whl",
            incompressible(3 * MEGABYTE, seed="large"),
            metadata=b"M: 1",
        )
        with run_app(tmp_path_factory.mktemp("library") / "cache", pypi.simple_url) as box:
            assert box.get("/pypi/simple/some-project/").status == 200
            assert box.get("/pypi/simple/large/").status == 200
            yield SimpleNamespace(
                pypi=pypi,
                box=box,
                wheel=wheel,
                sdist=sdist,
                local=local,
                epoch=epoch,
                space=space,
                large=large,
            )


def _add(pypi: FakePyPI, filename: str, **listing: str) -> FakeFile:
    """List a file whose link is written as it is, without percent-encoding."""
    content = filename.encode() * 100
    return pypi.add_file(
        "some-project", filename, content, path=unquote(file_path(content, filename)), **listing
    )
