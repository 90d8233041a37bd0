"""An application to probe."""

import pytest

from tests.web.running import run_app


@pytest.fixture
def box(tmp_path, pypi):
    with run_app(tmp_path / "cache", pypi.simple_url) as running:
        yield running
