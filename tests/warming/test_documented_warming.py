"""The examples of the documentation, run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cheesebox.cli.main import main

DOCS = Path(__file__).resolve().parents[2] / "docs"
UV_LOCK = """
version = 1
[[package]]
name = "six"
version = "1.17.0"
source = { registry = "https://example.org/simple" }
"""


def examples():
    [block] = re.findall(r"^```console\n(.*?)^```$", (DOCS / "warm.md").read_text(), re.MULTILINE | re.DOTALL)
    return [shlex.split(line)[1:] for line in block.splitlines()]


@pytest.mark.parametrize("example", examples(), ids=" ".join)
def test_the_examples_of_warming_leave_nothing_out(example, pypi, tmp_path, monkeypatch, capsys):
    pypi.add_wheel("six", "1.17.0")
    pypi.add_sdist("idna", "3.10")
    (tmp_path / "uv.lock").write_text(UV_LOCK)
    (tmp_path / "requirements.txt").write_text("six\nidna==3.10\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHEESEBOX_UPSTREAM", pypi.simple_url)
    monkeypatch.setenv("CHEESEBOX_CACHE_DIR", str(tmp_path / "cache"))
    assert main(example) == 0
    assert capsys.readouterr().out.endswith(" 0 were cached, 0 failed\n")
    assert pypi.count("*/six-1.17.0-py3-none-any.whl") == 1
