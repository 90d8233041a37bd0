"""The page of all settings, made of what the program knows of them.

``python -m cheesebox.cli.settings_reference > docs/settings.md`` writes it anew.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cheesebox.setting_values import CHECKS, Unit
from cheesebox.settings import Group, describe, describe_tables
from cheesebox.static_tables import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cheesebox.settings import Setting
    from cheesebox.static_tables import StaticKey

_HEAD = """\
# Settings

Every setting has one name. It is a key of the TOML file, a variable with `CHEESEBOX_` before it, and an
option with hyphens in place of underscores:

```toml
max_size = "20GB"
```

```console
$ CHEESEBOX_MAX_SIZE=20GB cheesebox doctor
$ cheesebox serve --max-size 20GB
```

The command line wins over the environment, the environment over the file. The file is the one of
`--config`, else the one that `CHEESEBOX_CONFIG` names, else `cheesebox.toml` of the current directory, if
there is one. An empty variable counts as not set. An unknown key, variable or value ends the program with
one line that names it and what is allowed. The [dashboard](dashboard.md) and `/-/api/v1/settings` show what
is in force; `cheesebox doctor` tries whether it works.

Passwords and tokens are no options: command lines are seen by all who may list processes. This page is
written by `python -m cheesebox.cli.settings_reference`.
"""
_VALUES_HEAD = "\n## How values are written\n\n| value | in the file | elsewhere |\n| --- | --- | --- |"
_VALUES = {
    Unit.SIZE: ('`"50GB"`, `"1.5GiB"`, `1000000`; KB is 1000 bytes, KiB 1024', "`50GB`"),
    Unit.DURATION: (
        '`"30d"`, `"1h30m"`, `"500ms"`, `300`; units w, d, h, m, s, ms; a number is seconds',
        "`30d`",
    ),
    Unit.NUMBER: ("`100`", "`100`"),
    Unit.TEXT: ('`"text"`', "`text`"),
    Unit.FLAG: ("`true`, `false`", "`true`, `1`, `yes`, `on` and opposites; `--name`, `--no-name`"),
    Unit.URL: ('`"https://index.example/simple/"`', "`https://index.example/simple/`"),
    Unit.ENGINE: ('`"s3://bucket/prefix"`, `"valkey://:password@host:6379/0"`', "`s3://bucket/prefix`"),
    Unit.URLS: (
        '`["https://a.example/simple/", "https://b.example/simple/"]`',
        "spaces or commas between them",
    ),
    Unit.PATH: ('`"/var/cache/cheesebox"`, `"~/wheels"`; relative to the current directory', "the same"),
    Unit.NAMES: ('`["one", "two"]`', "spaces or commas between them"),
    Unit.MATCHES: (
        '`["six", "requests>=2,<3", { match = "evil==1.0", reason = "ticket 7" }]`',
        "spaces between them: `six requests>=2,<3`",
    ),
    Unit.ONLY: ('`"wheels"`, `"sdists"`, `{ match = "wheels", reason = "…" }`', "`wheels`"),
    Unit.MOMENT: ('`"2026-01-31"`, `"2026-01-31T18:00:00Z"`, or a date of TOML', "`2026-01-31`"),
    Unit.WORKERS: ("a number from 1, or `auto`: one a core", "`auto`"),
    Unit.PINS: ('`{ torch = "pytorch" }`', ""),
    Unit.UNION: ('`["helper"]` or `"all"`', ""),
}
_NOTES = {
    Group.INDEX: (
        "Keys of an `[[index]]` table, or flat where there is one index ([more](indexes.md)). In a table"
        " `name` is needed, and `mount` is `/` and the name if it is not set; where it is empty, the index is"
        " a source only."
    ),
    Group.FRESHNESS: "By index; what they decide: [caching](caching.md).",
    Group.CREDENTIALS: "By index; where they go: [credentials](indexes.md#credentials).",
    Group.POLICY: "By index; what they withhold: [policies](policies.md), [time travel](time-travel.md).",
}
_STATIC = """\

## Static files

Keys of a `[[static]]` table ([more](static.md)); there are no variables and options.

| setting | value | default | meaning |
| --- | --- | --- | --- |"""


def settings_page() -> str:
    """Write the page (Markdown)."""
    known = {setting.name: setting for setting in (*describe(), *describe_tables())}
    parts = [_HEAD.rstrip("\n")]
    for group in Group:
        parts += [
            "",
            f"## {group.value}",
            "",
            *_section(group, [s for s in known.values() if s.group is group]),
        ]
    parts.append(_STATIC)
    parts += map(_static_row, KEYS)
    parts.append(_VALUES_HEAD)
    parts += [f"| {unit.value} | {in_file} | {elsewhere} |" for unit, (in_file, elsewhere) in _VALUES.items()]
    return "\n".join(parts) + "\n"


def _section(group: Group, settings: list[Setting]) -> Iterator[str]:
    if group in _NOTES:
        yield from (_NOTES[group], "")
    yield from ("| setting | value | default | meaning |", "| --- | --- | --- | --- |")
    yield from map(_row, settings)


def _row(setting: Setting) -> str:
    names = "<br>".join([f'<a id="{setting.name}"></a>`{setting.name}`', *_ways(setting)])
    value = " or ".join(f"`{choice}`" for choice in setting.choices) or setting.unit.value
    return f"| {names} | {value} | {_default(setting)} | {_meaning(setting)} |"


def _static_row(key: StaticKey) -> str:
    default = f"`{key.default}`" if key.default else "needed"
    return f"| `{key.name}` | {key.unit.value} | {default} | {_sentence(key.help)} |"


def _ways(setting: Setting) -> Iterator[str]:
    if setting.in_tables_only:
        yield "in tables only"
        return
    yield f"`{setting.variable}`"
    if not setting.is_secret:
        yield f"`{setting.option}`"


def _default(setting: Setting) -> str:
    if setting.name == "cache_dir":
        return "`~/.cache/cheesebox`"
    if setting.default is None or setting.default == ():
        return ""
    return f"`{setting.show(setting.default)}`" if setting.default != "" else ""


def _meaning(setting: Setting) -> str:
    _, allowed = CHECKS.get(setting.name, (None, ""))
    return _sentence(setting.help + (" (more than 0)" if allowed == "more than 0" else ""))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    sys.stdout.write(settings_page())
