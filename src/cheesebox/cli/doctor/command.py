"""``cheesebox doctor``: looks at all that the cache needs, and says what to put right."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from cheesebox.cli.colours import say
from cheesebox.cli.config.address import address_of, root_url
from cheesebox.cli.config.command import surroundings
from cheesebox.cli.doctor.asking import ask_upstreams
from cheesebox.cli.doctor.directory import SpaceLimits, judge_directory, judge_secret, judge_space
from cheesebox.cli.doctor.engines import judge_node_url, judge_register, judge_storage
from cheesebox.cli.doctor.findings import Level, warn
from cheesebox.cli.doctor.installers import judge_installer
from cheesebox.cli.doctor.limits import judge_open_files
from cheesebox.cli.doctor.looking import (
    look_at_directory,
    look_at_installers,
    look_at_secrets,
    look_for_server,
    look_for_server_at,
    open_files,
)
from cheesebox.cli.doctor.server import Listener, judge_server
from cheesebox.cli.doctor.trying import try_engines
from cheesebox.cli.doctor.upstreams import judge_clock, judge_upstream
from cheesebox.cli.options import SettingsCommand, settings_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cheesebox.cli.config.address import Address
    from cheesebox.cli.doctor.findings import Finding
    from cheesebox.settings import Settings

_SICK = 1
_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


def _doctor(config: Path | None, *, as_json: bool, **options: Any) -> int:
    settings = settings_from(config, options)
    findings = list(examine(settings))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _show(findings)
    return _SICK if any(finding.level is Level.FAIL for finding in findings) else 0


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, and judge it."""
    listener = look_for_server(settings) if settings.port else Listener.NOBODY
    if settings.port:
        yield judge_server(listener, root_url(settings))
    yield from _upstreams(settings)
    yield from _nodes(settings, server_answers=listener in (Listener.READY, Listener.NOT_READY))
    yield from _disk(settings, server_answers=listener in (Listener.READY, Listener.NOT_READY))
    yield judge_open_files(open_files(), settings.max_connections)
    ours = _addresses(settings)
    for installer in look_at_installers(surroundings()):
        yield from judge_installer(installer, ours)


def _upstreams(settings: Settings) -> Iterator[Finding]:
    if settings.offline:
        yield warn("upstream", "offline is set: no upstream is asked", "unset offline to ask them again")
        return
    asked = asyncio.run(ask_upstreams(settings))
    for upstream in asked:
        yield from judge_upstream(upstream, time.time())
    if asked:
        yield judge_clock(asked)


def _nodes(settings: Settings, *, server_answers: bool) -> Iterator[Finding]:
    tried = asyncio.run(try_engines(settings))
    if tried is None:
        return
    register, storage = tried
    yield from judge_register(register)
    yield judge_storage(storage)
    url = settings.node_url
    at_url = look_for_server_at(url) if url else Listener.NOBODY
    yield judge_node_url(url, at_url, server_answers=server_answers)


def _disk(settings: Settings, *, server_answers: bool) -> Iterator[Finding]:
    directory = look_at_directory(settings.cache_dir)
    yield from judge_directory(directory, server_answers=server_answers)
    yield from judge_space(directory, SpaceLimits(settings.max_size, settings.min_free))
    for path, mode in look_at_secrets(settings):
        yield judge_secret(path, mode)


def _addresses(settings: Settings) -> Sequence[Address]:
    """Give every address under which an index may be asked: the public one, and where it listens."""
    mounted = [index for index in settings.indexes if index.mount]
    own = [replace(index, public_url=None) for index in mounted]
    return [address_of(settings, index) for index in (*mounted, *own) if index.public_url or settings.port]


def _show(findings: Sequence[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        level = click.style(f"{finding.level:<4}", fg=_COLOURS[finding.level], bold=True)
        say(f"{level}  {finding.check:<{width}}  {finding.message}")
        if finding.fix:
            say(f"{'':<{width + 8}}→ {finding.fix}")
    counts = Counter(finding.level for finding in findings)
    say(f"{counts[Level.FAIL]} failed, {counts[Level.WARN]} to look at, {counts[Level.OK]} in order")


command = SettingsCommand(
    "doctor",
    _doctor,
    params=[click.Option(["--json", "as_json"], is_flag=True, help="Write the findings as JSON.")],
    help="""Look at all that the cache needs here, and tell what to put right.

    The upstreams, their certificates, the clock, the cache directory, the disk, limits, the configuration
    of this user's pip and uv, and the address of the server. Where several nodes share a store also both
    engines, by a small object that is taken away again, and the way to this node. Give it the settings that
    the server gets. Exits with 1 when something does not work; what could be better is told, but is no
    failure.

    \b
    Example:
      cheesebox doctor
      cheesebox doctor --config /etc/cheesebox.toml --json
    """,
    short_help="Look at all that the cache needs, and tell what to put right.",
)
