"""The program ``cheesebox``: finds the command, and says every expected failure in one line."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from cheesebox import __version__
from cheesebox.errors import CheeseboxError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_USAGE = 2
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that is imported when it is called: ``module`` has it as ``command``.

    ``exits`` has what its exit codes mean beside those that all commands share.
    """

    module: str
    help: str
    exits: Mapping[str, str] = field(default_factory=dict)


EXITS = {
    "0": "done",
    "2": "something to put right: a setting, an argument, a port in use; told in one line",
    "130": "interrupted (Ctrl-C)",
}
"""What exit codes mean, for all commands."""

COMMANDS = {
    "serve": Entry("cheesebox.cli.serve", "Serve the cache."),
    "run": Entry(
        "cheesebox.cli.run",
        "Run a command with its package downloads going through the cache.",
        {
            "any": "that of the command",
            "126": "the command cannot be executed",
            "127": "there is no such command",
            "128 + n": "the command was ended by signal n",
        },
    ),
    "warm": Entry(
        "cheesebox.cli.warm",
        "Fill the cache ahead with what lock files and requirements name.",
        {"1": "something could not be had"},
    ),
    "export": Entry(
        "cheesebox.cli.export",
        "Carry the cache, or a part of it, to a place without network.",
        {"1": "something that is wanted is not cached, or is damaged"},
    ),
    "import": Entry(
        "cheesebox.cli.import_", "Take an export into the cache.", {"1": "something was refused"}
    ),
    "config": Entry(
        "cheesebox.cli.config.command", "Print what makes a tool use the cache, or write it for pip and uv."
    ),
    "doctor": Entry(
        "cheesebox.cli.doctor.command",
        "Look at all that the cache needs, and tell what to put right.",
        {"1": "something does not work"},
    ),
    "stats": Entry("cheesebox.cli.stats", "Show hits, bytes saved, sizes and upstreams."),
    "ls": Entry("cheesebox.cli.ls", "List what is cached.", {"1": "nothing of the project is cached"}),
    "purge": Entry(
        "cheesebox.cli.purge",
        "Remove what is cached, so that it is fetched again.",
        {"1": "nothing of some project was cached"},
    ),
    "access": Entry("cheesebox.cli.access", "Write a line for the access file."),
    "verify": Entry(
        "cheesebox.cli.verify",
        "Hash all that is stored and find what is damaged.",
        {"1": "something is damaged and was not removed"},
    ),
    "completion": Entry("cheesebox.cli.completion", "Print the completion script of a shell."),
}


class LazyGroup(click.Group):
    """Knows its commands by name, so that ``--version`` and ``--help`` need none of their imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Give the names in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import a command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = importlib.import_module(entry.module).command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands without importing them: nobody waits for that at a tab key."""
        commands = [
            CompletionItem(name, help=entry.help)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def group() -> click.Group:
    """Build the command line."""
    found = LazyGroup(
        "cheesebox",
        help="A short-term PyPI cache: a caching reverse proxy for Python package indexes.",
        epilog="Start with:  cheesebox serve",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    return click.version_option(__version__, prog_name="cheesebox", message="%(prog)s %(version)s")(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code. 2 means: something to put right, said in one line."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        code = group().main(args or ["--help"], prog_name="cheesebox", standalone_mode=False)
    except click.ClickException as error:
        return _complain(_with_hint(error))
    except CheeseboxError as error:
        return _complain(str(error))
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    return code if isinstance(code, int) else 0


def _with_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context else ""
    return error.format_message() + hint


def _complain(message: str) -> int:
    line = " ".join(message.split())
    print(f"cheesebox: {line}", file=sys.stderr)
    return _USAGE
