"""What the commands that look at a cache have in common: their options, their output."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
import msgspec

from cheesebox.settings_loading import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.settings import Settings

_DAY, _HOUR, _MINUTE = 86400, 3600, 60
_SOURCES = """\
The settings come from cheesebox.toml and the environment as for cheesebox serve. The server that has the
cache directory is asked; where none runs, this command opens the directory."""


class LookingCommand(click.Command):
    """A command that finds a cache by few options, and not by all settings."""

    def __init__(
        self, name: str, callback: Callable[..., Any], *, takes_server: bool = True, **attributes: Any
    ) -> None:
        shared: list[click.Parameter] = [
            click.Option(
                ["--cache-dir"],
                metavar="PATH",
                help="Directory of the cache, if not the one of the settings.",
            ),
            click.Option(
                ["--config"], type=click.Path(path_type=Path), metavar="FILE", help="TOML file of settings."
            ),
        ]
        if takes_server:
            shared.append(_server_option())
        shared.append(click.Option(["--json", "as_json"], is_flag=True, help="Write JSON."))
        params = [*attributes.pop("params", []), *shared]
        super().__init__(name, callback=callback, params=params, **attributes)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where the settings come from."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Settings"):
            formatter.write_text(_SOURCES)


def _server_option() -> click.Option:
    text = "Ask the cheesebox at this URL. Changes need its admin_token (CHEESEBOX_ADMIN_TOKEN)."
    return click.Option(["--server"], metavar="URL", callback=_root_url, help=text)


def _root_url(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        raise click.BadParameter(
            "give the root of a cheesebox without user and query, such as http://127.0.0.1:6283"
        )
    return value


def settings_of(config: Path | None, cache_dir: str | None) -> Settings:
    """Load the settings with the directory that was given, if one was; raises `SettingsError`."""
    return load_settings(config, os.environ, {} if cache_dir is None else {"cache_dir": cache_dir})


def is_for_people() -> bool:
    """Tell whether the output goes to a terminal, and not to a file or a program."""
    return sys.stdout.isatty()


def print_json(document: msgspec.Struct) -> None:
    """Write a document of the API."""
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def print_row(*cells: object) -> None:
    """Write cells with tabs between them."""
    print(*(printable(str(cell)) for cell in cells), sep="\t")


def printable(text: str) -> str:
    """Replace what would move a terminal's cursor or end a line: names and errors come from elsewhere."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def percent(ratio: float | None) -> str:
    """Write a share for a reader."""
    return "–" if ratio is None else f"{ratio:.1%}".replace("%", " %")


def ago(seconds: float) -> str:
    """Write how long something is past, in its largest unit."""
    rest = max(0, int(seconds))
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if rest >= length:
            return f"{rest // length} {unit} ago"
    return "now" if rest == 0 else f"{rest} s ago"
