"""Colours on a terminal, and nowhere else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


def wants_colours(*, is_terminal: bool, environ: Mapping[str, str]) -> bool:
    """Tell whether to colour: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def say(line: str) -> None:
    """Write a line that may be styled."""
    click.echo(line, color=wants_colours(is_terminal=sys.stdout.isatty(), environ=os.environ))
