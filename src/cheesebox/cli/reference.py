"""The page of all commands, made of what the program says of itself.

``python -m cheesebox.cli.reference > docs/commands.md`` writes it anew.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from typing import TYPE_CHECKING

import click

from cheesebox.cli.main import COMMANDS, EXITS, group
from cheesebox.cli.options import SettingOption

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cheesebox.cli.main import Entry

_HEAD = """\
# Commands

`cheesebox COMMAND --help` says the same and names every option. `cheesebox completion bash` (`zsh`, `fish`)
makes your shell complete all of it. This page is written by `python -m cheesebox.cli.reference`.

## Exit codes of every command
"""
_WITH_SETTINGS = "Takes every setting as an option (`cheesebox serve --help` explains them)."


def commands_page() -> str:
    """Write the page (Markdown)."""
    program = group()
    context = click.Context(program, info_name="cheesebox")
    parts = [_HEAD, *_table(EXITS)]
    for name, entry in COMMANDS.items():
        command = program.get_command(context, name)
        if command is None:  # the group made the list, so it has them all
            raise LookupError(name)
        parts += ["", f"## cheesebox {name}", "", *_section(command, entry)]
    return "\n".join(parts) + "\n"


def _section(command: click.Command, entry: Entry) -> Iterator[str]:
    before, _, rest = inspect.cleandoc(command.help or "").partition("\b\nExample:\n")
    example, _, after = rest.partition("\n\n")
    yield from (before.strip(), "", "```", textwrap.dedent(example), "```")
    if after:
        yield from ("", after)
    own = [param for param in command.params if isinstance(param, click.Option)]
    if any(isinstance(option, SettingOption) for option in own):
        yield from ("", _WITH_SETTINGS)
    if listed := [option for option in own if not isinstance(option, SettingOption)]:
        yield from ("", "| option | |", "| --- | --- |", *map(_row, listed))
    if entry.exits:
        yield from ("", *_table(entry.exits))


def _row(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    value = f" {option.metavar}" if option.metavar else ""
    return f"| {names}{value} | {option.help or ''} |"


def _table(exits: Mapping[str, str]) -> Iterator[str]:
    yield from ("| exit code | meaning |", "| --- | --- |")
    yield from (f"| {code} | {meaning} |" for code, meaning in exits.items())


if __name__ == "__main__":
    sys.stdout.write(commands_page())
