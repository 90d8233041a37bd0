"""docs/recipes.md shows what the program prints."""

import re
import shlex
from pathlib import Path

import pytest

from cheesebox.cli.config.command import SNIPPETS
from cheesebox.cli.main import main

RECIPES = (Path(__file__).resolve().parents[3] / "docs" / "recipes.md").read_text()
SHOWN = re.findall(r"```\n\$ cheesebox ([^\n]+)\n```\n\n```\w+\n(.*?)```\n", RECIPES, re.DOTALL)


@pytest.mark.parametrize(("command", "block"), SHOWN, ids=[command for command, _ in SHOWN])
def test_a_block_is_what_its_command_prints(command, block, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # no settings file there
    assert main(shlex.split(command)) == 0
    assert capsys.readouterr().out == block


def test_every_tool_has_its_recipe():
    assert {tool for tool in SNIPPETS if f"cheesebox config {tool}" in RECIPES} == set(SNIPPETS)
    assert {shlex.split(command)[1] for command, _ in SHOWN} == set(SNIPPETS) - {"systemd"}
