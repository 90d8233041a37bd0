"""Several doubles, and an application made of a settings file."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from cheesebox.app import build_app
from cheesebox.settings_loading import load_settings
from tests.fakes.pypi import FakePyPI
from tests.web.running import Running, SteppedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def doubles() -> Iterator[Callable[[], FakePyPI]]:
    """Start index doubles, each on ports of its own."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(FakePyPI(**options))


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., Running]]:
    """Serve what a settings file says; settings of the whole program come as arguments."""
    with ExitStack() as stack:

        def start(toml: str, **overrides: str) -> Running:
            number = len(list(tmp_path.glob("*.toml")))
            config = tmp_path / f"{number}.toml"
            config.write_text(toml)
            given = {
                "cache_dir": str(tmp_path / f"cache{number}"),
                "min_free": "0",
                "retries": "0",
                "read_timeout": "20s",
                **overrides,
            }
            clock = SteppedClock()
            accesses: list = []
            app = build_app(load_settings(config, {}, given), clock=clock, access_sink=accesses.extend)
            return stack.enter_context(Running(lambda app: app, "", app, clock))

        yield start
