"""Every command says what it does, by example, and what its exit codes mean; the page says the same."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from cheesebox.cli.main import COMMANDS, EXITS, group, main
from cheesebox.cli.reference import commands_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"


def command_of(name: str) -> click.Command:
    program = group()
    found = program.get_command(click.Context(program), name)
    assert found is not None
    return found


def help_of(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([name, "--help"]) == 0
    return capsys.readouterr().out


def test_the_page_of_commands_is_the_one_that_the_program_writes() -> None:
    assert PAGE.read_text() == commands_page(), "python -m cheesebox.cli.reference > docs/commands.md"


def test_the_page_has_every_command_and_no_other() -> None:
    assert re.findall(r"^## cheesebox (\S+)$", PAGE.read_text(), re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_help_of_a_command_shows_an_example_that_it_understands(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    example = help_of(name, capsys).partition("Example:\n")[2].partition("\n\n")[0]
    lines = [line.strip() for line in example.splitlines() if line.strip().startswith("cheesebox ")]
    assert lines
    for line in lines:
        words = shlex.split(re.split(r" [>|<] ", line)[0], comments=True)
        assert words[1] == name
        command_of(name).make_parser(click.Context(command_of(name))).parse_args(words[2:])


@pytest.mark.parametrize("name", list(COMMANDS))
def test_exit_codes_of_its_own_are_told_in_a_command_s_help(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    prose = help_of(name, capsys).partition("Example:")[0]
    for code in COMMANDS[name].exits:
        assert code not in EXITS
        assert code == "any" or code in " ".join(prose.split())
