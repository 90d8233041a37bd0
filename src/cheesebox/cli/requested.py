"""``PROJECT`` and ``PROJECT==VERSION``, as people name what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click
from packaging.version import InvalidVersion, Version

from cheesebox.errors import InvalidName
from cheesebox.simple.names import ProjectName, normalize

_PARTS = re.compile(r"\s*(?P<name>[^=<>!~;@\s]+)\s*(?:(?P<operator>={2,3})\s*(?P<version>\S+)\s*)?\Z")


@dataclass(frozen=True, slots=True)
class Requested:
    """A project, and one version of it if one was named."""

    project: ProjectName
    version: str | None = None

    def __str__(self) -> str:
        return self.project if self.version is None else f"{self.project}=={self.version}"


def parse_requested(text: str) -> Requested:
    """Read ``PROJECT`` or ``PROJECT==VERSION``, any spelling of either; raises ValueError."""
    found = _PARTS.match(text)
    if found is None:
        raise ValueError(f"{text!r}: give PROJECT or PROJECT==VERSION")
    name, version = found["name"], found["version"]
    if "[" in name:
        raise ValueError(f"{text!r}: extras have no files of their own; leave out [...]")
    try:
        project = normalize(name)
        return Requested(project, None if version is None else str(Version(version)))
    except InvalidName as error:
        raise ValueError(str(error)) from error
    except InvalidVersion:
        # Files of the time before the rules are named so, and are found by what stands in their names.
        if found["operator"] == "===":
            return Requested(project, version)
        raise ValueError(f"{text!r}: {version!r} is not a version (=== takes any)") from None


def one_requested(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> Requested | None:
    """Read an argument of the command line (a callback of click)."""
    return None if value is None else _argument(value)


def all_requested(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[Requested, ...]:
    """Read the arguments of the command line, each once (a callback of click)."""
    return tuple(dict.fromkeys(map(_argument, values)))


def _argument(text: str) -> Requested:
    try:
        return parse_requested(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
