"""``cheesebox completion``: what makes a shell complete cheesebox's command lines."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cheesebox.errors import SettingsError

VARIABLE = "_CHEESEBOX_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


def _completion(shell: str) -> None:
    context = click.get_current_context()
    found = get_completion_class(shell)
    if found is None:
        raise SettingsError(f"{shell}: the installed click has no completion for it")
    click.echo(found(context.find_root().command, {}, "cheesebox", VARIABLE).source())


command = click.Command(
    "completion",
    callback=_completion,
    params=[click.Argument(["shell"], type=click.Choice(SHELLS))],
    help="""Print what makes SHELL complete commands, options and values of cheesebox.

    \b
    Example:
      cheesebox completion bash > ~/.local/share/bash-completion/completions/cheesebox
      cheesebox completion zsh > ~/.zfunc/_cheesebox
      cheesebox completion fish > ~/.config/fish/completions/cheesebox.fish
    """,
    short_help="Print the completion script of a shell.",
)
