"""Every TOML block of the documentation is understood by those who are to read it."""

from __future__ import annotations

import re
import tomllib

import pytest

from cheesebox.cli.config.command import SNIPPETS
from cheesebox.settings import describe_tables
from cheesebox.settings_loading import load_settings
from tests.docs.examples import all_blocks

BLOCKS = all_blocks("toml")
_OUTSIDE = re.compile(r'"(/(?:etc|run|srv|var|mnt)/[^"]*)"')
_FILES = re.compile(r"(_file|_cert|_key|ca_bundle)\b")


def is_for_another_tool(text):
    """uv, Poetry and PDM are configured in TOML, too; `cheesebox config` prints what they read."""
    found = tomllib.loads(text)
    index_keys = {setting.name for setting in describe_tables()}
    return "tool" in found or any(not table.keys() <= index_keys for table in found.get("index", []))


def with_files_here(text, folder):
    """Lead paths of the machine into a folder, and make what lies there."""
    for line in text.splitlines():
        for path in _OUTSIDE.findall(line):
            here = folder / path.lstrip("/")
            here.parent.mkdir(parents=True, exist_ok=True)
            if _FILES.search(line.partition("=")[0]):
                here.touch()
            else:
                here.mkdir(exist_ok=True)
    return _OUTSIDE.sub(lambda found: f'"{folder}{found[1]}"', text)


@pytest.mark.parametrize("block", [b for b in BLOCKS if not is_for_another_tool(b.text)], ids=str)
def test_an_example_of_settings_is_taken(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    config = tmp_path / "cheesebox.toml"
    config.write_text(with_files_here(block.text, tmp_path))
    settings = load_settings(config, {"HOME": str(tmp_path)}, {})
    shown = tomllib.loads(block.text)
    assert [index.name for index in settings.indexes] == [
        table["name"] for table in shown.get("index", [{"name": "pypi"}])
    ]
    assert len(settings.statics) == len(shown.get("static", []))


@pytest.mark.parametrize("block", [b for b in BLOCKS if is_for_another_tool(b.text)], ids=str)
def test_an_example_for_another_tool_is_on_the_page_whose_blocks_are_compared(block):
    assert block.page == "recipes.md"
    assert {"uv", "poetry", "pdm"} <= set(SNIPPETS)
