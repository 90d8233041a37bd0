"""pip's configuration files: read as pip does, edited line by line so that the rest stays; pure."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cheesebox.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

GLOBAL = "global"
_HEADER = re.compile(r"\[(?P<section>.+)\]")
_OPTION = re.compile(r"(?P<name>[^=:\s][^=:]*?)\s*(?:[=:]\s*(?P<value>.*))?$")
_INDENT = "    "


def read(text: str) -> Mapping[tuple[str, str], str]:
    """Give the values by (section, option); options are written as pip's long ones, without ``--``.

    Raises `SettingsError` on what pip cannot read either.
    """
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise SettingsError(f"not a configuration file of pip: {error}") from error
    return {
        (section, _normal(name)): value or ""
        for section in parser.sections()
        for name, value in parser.items(section)
    }


def with_index(text: str, url: str, trusted_host: str | None) -> str:
    """Give the text with ``index-url`` set, and the host trusted where one is given.

    Raises `SettingsError` when the text is none of pip's configuration files.
    """
    changed = _with_option(text, "index-url", [url])
    if trusted_host is None:
        return changed
    trusted = read(changed).get((GLOBAL, "trusted-host"), "").split()
    return (
        changed
        if trusted_host in trusted
        else _with_option(changed, "trusted-host", [*trusted, trusted_host])
    )


def overriding(text: str, name: str) -> Sequence[str]:
    """Name the sections of commands whose option of this name is stronger than that of ``[global]``."""
    return [section for section, option in read(text) if option == name and section != GLOBAL]


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where an option stands: its line, and the further lines of its value. A header has no name."""

    section: str
    name: str
    line: int
    indent: int
    further: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """The line after it."""
        return (self.further or (self.line,))[-1] + 1


def _with_option(text: str, name: str, values: Sequence[str]) -> str:
    if read(text).get((GLOBAL, name), "").split() == list(values):
        return text
    lines = text.splitlines()
    everything = list(_entries(lines))
    entries = [entry for entry in everything if entry.section == GLOBAL]
    same = next((entry for entry in entries if entry.name == name), None)
    if same is not None:
        lines[same.line : same.line + 1] = _written(name, values, same.indent)
        shift = len(values) - 1
        lines = [line for number, line in enumerate(lines) if number - shift not in same.further]
    elif entries:
        # As far in as its neighbours: what is further in belongs to the option above.
        last = entries[-1]
        following = next((entry.indent for entry in everything if entry.line >= last.end), 0)
        lines[last.end : last.end] = _written(name, values, max(last.indent, following))
    else:
        gap = [""] if lines and lines[-1].strip() else []
        lines += [*gap, f"[{GLOBAL}]", *_written(name, values, 0)]
    newline = "\r\n" if "\r\n" in text else "\n"
    return newline.join([*lines, ""])


def _written(name: str, values: Sequence[str], indent: int) -> list[str]:
    margin = " " * indent
    return [f"{margin}{name} = {values[0]}", *(f"{margin}{_INDENT}{value}" for value in values[1:])]


def _entries(lines: Sequence[str]) -> Iterator[_Entry]:
    """Find headers and options as `configparser` does: what is further in than an option goes on with it."""
    current = _Entry("", "", -1, 0)
    for number, line in enumerate(lines):
        stripped = line.strip()
        if not stripped or stripped.startswith(("#", ";")):
            continue
        indent = len(line) - len(line.lstrip())
        if current.name and indent > current.indent:
            current = replace(current, further=(*current.further, number))
            continue
        yield current
        if header := _HEADER.match(stripped):
            current = _Entry(header["section"], "", number, indent)
        else:
            current = _Entry(current.section, _name(stripped), number, indent)
    yield current


def _name(line: str) -> str:
    found = _OPTION.match(line)
    return _normal(found["name"]) if found else ""


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-").removeprefix("--")
