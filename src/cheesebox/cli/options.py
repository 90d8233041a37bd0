"""Options of the command line, made from the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from cheesebox.setting_values import Unit
from cheesebox.settings import Group, Setting, Settings, describe
from cheesebox.settings_loading import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_METAVARS = {
    Unit.SIZE: "SIZE",
    Unit.DURATION: "TIME",
    Unit.NUMBER: "NUMBER",
    Unit.TEXT: "TEXT",
    Unit.URL: "URL",
    Unit.PATH: "PATH",
    Unit.URLS: "URLS",
    Unit.NAMES: "NAMES",
    Unit.MATCHES: "LIST",
    Unit.ONLY: "wheels|sdists",
    Unit.MOMENT: "DATE",
    Unit.WORKERS: "NUMBER|auto",
    Unit.ENGINE: "URL",
}
_SOURCES = """\
Each setting is also a key of the TOML file (max_size = "50GB") and an environment variable
(CHEESEBOX_MAX_SIZE=50GB). The command line wins over the environment, the environment over the file.
A SIZE is 256KB, 1.5GiB or a number of bytes, a TIME is 500ms, 1h30m, 30d or a number of seconds.
A LIST has spaces between its entries ("ourlib requests>=2,<3"; in the file: ["ourlib", "requests>=2,<3"]).
Several indexes are [[index]] tables of the file; passwords and tokens are no options."""


class SettingOption(click.Option):
    """The option of one setting. Its value stays as typed: the settings read it, whatever its source."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        flag = setting.unit is Unit.FLAG
        names = f"{setting.option}/--no-{setting.option[2:]}" if flag else setting.option
        kind: dict[str, Any] = {} if flag else {"type": str, "metavar": _metavar(setting)}
        super().__init__([names, setting.name], default=None, help=_help(setting), **kind)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a value: one of the choices, or a path."""
        if self.setting.unit is Unit.PATH:
            return click.Path().shell_complete(ctx, self, incomplete)
        return [CompletionItem(choice) for choice in self.setting.choices if choice.startswith(incomplete)]


def _metavar(setting: Setting) -> str:
    return "|".join(setting.choices) or _METAVARS[setting.unit]


def _help(setting: Setting) -> str:
    default = "" if setting.default is None or setting.name == "cache_dir" else setting.show(setting.default)
    text = setting.help[0].upper() + setting.help[1:]
    return f"{text}. [{default}]" if default else f"{text}."


class SettingsCommand(click.Command):
    """A command that takes all settings as options; its help has them by group."""

    def __init__(self, name: str, callback: Callable[..., Any], **attributes: Any) -> None:
        config = click.Option(
            ["--config"], type=click.Path(path_type=Path), metavar="FILE", help="TOML file of settings."
        )
        options = [setting for setting in describe() if not setting.is_secret]
        own: list[click.Parameter] = [config, *map(SettingOption, options)]
        params = [*own, *attributes.pop("params", [])]
        super().__init__(name, callback=callback, params=params, **attributes)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of each group of settings, then the others."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        others = [option for option in options if not isinstance(option, SettingOption)]
        for title, members in (*_by_group(options), ("Other", others)):
            with formatter.section(title):
                formatter.write_dl([record for option in members if (record := option.get_help_record(ctx))])
        with formatter.section("Settings"):
            formatter.write_text(_SOURCES)


def _by_group(options: list[click.Option]) -> list[tuple[str, list[click.Option]]]:
    settings = [option for option in options if isinstance(option, SettingOption)]
    return [
        (group.value, [option for option in settings if option.setting.group is group]) for group in Group
    ]


def settings_from(
    config: Path | None, options: Mapping[str, object], defaults: Mapping[str, object] | None = None
) -> Settings:
    """Load the settings with what the command line gave; ``defaults`` hold where it gave nothing.

    Raises `cheesebox.errors.SettingsError`.
    """
    known = {setting.name for setting in describe()}
    given = {name: value for name, value in options.items() if name in known and value is not None}
    return load_settings(config, os.environ, {**(defaults or {}), **given})
