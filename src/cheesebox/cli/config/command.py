"""``cheesebox config``: prints what to write where, and writes it for pip and uv."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cheesebox.cli import pip_conf, uv_toml
from cheesebox.cli.colours import say
from cheesebox.cli.config import clients, servers
from cheesebox.cli.config.address import address_of, parse_address
from cheesebox.cli.config.changes import Change, carry_out, plan
from cheesebox.cli.config.servers import Served
from cheesebox.cli.places import Surroundings, pip_user_file, uv_user_file
from cheesebox.errors import SettingsError
from cheesebox.settings_loading import DEFAULT_FILE, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import PurePath

    from cheesebox.cli.config.address import Address
    from cheesebox.settings import IndexSettings, Settings

_PROGRAM = "/opt/cheesebox/bin/cheesebox"


@dataclass(frozen=True, slots=True)
class UserFile:
    """A file of the user's that can be written: where it is, and what it becomes."""

    place: Callable[[Surroundings], PurePath]
    edit: Callable[[str, Address], str]


SNIPPETS: Mapping[str, Callable[[Served], str]] = {
    "pip": lambda served: clients.pip(served.address),
    "uv": lambda served: clients.uv(served.address),
    "poetry": lambda served: clients.poetry(served.address),
    "pdm": lambda served: clients.pdm(served.address),
    "docker": lambda served: clients.docker(served.address),
    "github-actions": lambda served: clients.github_actions(served.address),
    "nginx": servers.nginx,
    "systemd": servers.systemd,
}
USER_FILES: Mapping[str, UserFile] = {
    "pip": UserFile(
        pip_user_file,
        lambda text, address: pip_conf.with_index(text, address.simple_url, address.trusted_host),
    ),
    "uv": UserFile(uv_user_file, lambda text, address: uv_toml.with_default_index(text, address.simple_url)),
}


def surroundings() -> Surroundings:
    """Give those of this process."""
    return Surroundings(sys.platform, os.environ, str(Path.home()), lambda path: Path(path).exists())


def _config(tool: str, url: str | None, name: str | None, config: Path | None, *, write: bool) -> None:
    settings = load_settings(config, os.environ, {})
    index = _index(settings, name)
    address = parse_address(url) if url else address_of(settings, index)
    if write:
        _write(tool, address)
    else:
        served = Served(settings, index, address, _program(), _settings_file(config))
        click.echo(SNIPPETS[tool](served), nl=False)


def _index(settings: Settings, name: str | None) -> IndexSettings:
    mounted = {index.name: index for index in settings.indexes if index.mount}
    if name is not None and name not in mounted:
        raise SettingsError(f"--index {name!r}: none of {', '.join(mounted)}")
    return mounted[name] if name is not None else settings.front


def _settings_file(config: Path | None) -> Path | None:
    """Give the file that the settings came from; a service does not start in the folder where we are."""
    named = config or Path(os.environ.get("CHEESEBOX_CONFIG") or DEFAULT_FILE)
    return named.absolute() if named.is_file() else None


def _program() -> str:
    """Give where the program lies, if a service may reach it there; else where it would be well placed."""
    found = shutil.which("cheesebox", path=str(Path(sys.executable).parent)) or shutil.which("cheesebox")
    return found if found and not found.startswith(("/home/", "/root/")) else _PROGRAM


def _write(tool: str, address: Address) -> None:
    if tool not in USER_FILES:
        raise SettingsError(f"--write: only for {' and '.join(USER_FILES)}; {tool} is printed")
    file = USER_FILES[tool]
    change = plan(Path(file.place(surroundings())), lambda text: file.edit(text, address))
    if not change.is_needed:
        click.echo(f"{change.path} says so already")
    else:
        backup = carry_out(change)
        _show(change.difference())
        click.echo(f"wrote {change.path}" + (f"; what was there is in {backup.name}" if backup else ""))
    for stronger in _stronger(tool, change, os.environ):
        click.echo(f"cheesebox: but {stronger}", err=True)


def _show(difference: Sequence[str]) -> None:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in difference:
        say(click.style(line, fg=colours.get(line[:1])))


def _stronger(tool: str, change: Change, environ: Mapping[str, str]) -> Sequence[str]:
    """Tell what keeps the tool from doing what its file says."""
    names = {
        "pip": ("PIP_INDEX_URL", "PIP_CONFIG_FILE"),
        "uv": ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE", "UV_NO_CONFIG"),
    }
    found = [f"{name} in the environment is stronger" for name in names[tool] if environ.get(name)]
    if tool == "pip":
        sections = pip_conf.overriding(change.after, "index-url")
        found += [f"[{section}] index-url in the same file is stronger" for section in sections]
    return found


command = click.Command(
    "config",
    callback=_config,
    params=[
        click.Argument(["tool"], type=click.Choice(list(SNIPPETS))),
        click.Option(["--url"], metavar="URL", help="Where clients find the index. [from the settings]"),
        click.Option(["--index", "name"], metavar="NAME", help="Which index. [the first with a mount]"),
        click.Option(["--write"], is_flag=True, help="Write it into the user's own file (pip, uv)."),
        click.Option(
            ["--config"], type=click.Path(path_type=Path), metavar="FILE", help="TOML file of settings."
        ),
    ],
    help="""Print what makes TOOL use the cache, or run it.

    With --write it goes into the user's own configuration of pip or uv: other keys and comments stay,
    a copy of the former file is kept beside it. Host, port, mount and public_url come from the settings.

    \b
    Example:
      cheesebox config pip --write
      cheesebox config uv --url https://pypi.example/mirror/
      cheesebox config nginx --url https://www.example/mirror/python/
      cheesebox config systemd > /etc/systemd/system/cheesebox.service
    """,
    short_help="Print what makes a tool use the cache.",
)
