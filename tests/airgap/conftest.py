"""A cache with something in it, and the two commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cheesebox.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def cheesebox(pypi, tmp_path, capsys) -> Callable[..., tuple[int, str, str]]:
    """Run a command on the cache ``home`` (or another); gives its exit code, output and errors."""

    def call(command: str, *args: str, cache: str = "home", **options: str) -> tuple[int, str, str]:
        given = {"cache-dir": str(tmp_path / cache), **options}
        if command != "verify":  # it looks at the directory alone
            given |= {"upstream": options.get("upstream", pypi.simple_url), "min-free": "0"}
        flags = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", value)]
        code = main([command, *flags, *args])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def stocked(pypi, cheesebox):
    """An index, and a cache that has some of it: ``demo`` 1.0 and 2.0 of three, and ``src``."""
    pypi.add_wheel("demo", "1.0", requires=["helper"], upload_time="2025-01-01T00:00:00.000000Z")
    pypi.add_wheel("demo", "2.0", requires_python=">=3.8", provenance={"version": 1, "attestations": []})
    pypi.add_wheel("demo", "3.0")
    pypi.add_sdist("src", "1.0")
    pypi.add_wheel("uncached", "1.0")
    assert cheesebox("warm", "demo==1.0", "demo==2.0", "src")[0] == 0
    return pypi
