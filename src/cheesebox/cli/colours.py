"""Colours on a terminal, and nowhere else."""

from __future__ import annotations

import os
import sys

import click

from cheesebox.server.logs import wants_colours


def say(line: str) -> None:
    """Write a line that may be styled."""
    click.echo(line, color=wants_colours(sys.stdout, os.environ))
