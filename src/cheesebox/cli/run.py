"""``cheesebox run``: a command whose package downloads go through the cache."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from cheesebox.app import build_app
from cheesebox.cli.client_environment import client_environment
from cheesebox.cli.options import SettingsCommand, settings_from
from cheesebox.cli.running_server import find_server, let_in
from cheesebox.cli.serve import server_options
from cheesebox.cli.summary import summary
from cheesebox.server import logs
from cheesebox.server.lifespan import StartupFailed
from cheesebox.server.run import run, serving
from cheesebox.server.sockets import listen, root_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from cheesebox.app import App
    from cheesebox.settings import Settings

_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
_FROM_KEYBOARD = frozenset({signal.SIGINT, signal.SIGQUIT})
_NOT_FOUND, _NOT_EXECUTABLE, _SIGNALLED = 127, 126, 128  # the codes that shells give
# The command's own output is what people want to see.
_QUIET = {"log_level": "warning", "access_log": False}


def _run(config: Path | None, command: tuple[str, ...], **options: Any) -> int:
    settings = settings_from(config, options, _QUIET)
    sink = logs.configure(settings.log_format, settings.log_level, sys.stderr, os.environ)
    app = build_app(settings, access_sink=sink)
    try:
        code = run(_beside_server(app, settings, command))
    except StartupFailed:
        root = find_server(settings)
        if root is None:
            raise
        return run(_command(command, client_environment(os.environ, _simple_url(root, settings))))
    Console(stderr=True).print(summary(app.statistics().answers))
    return code


async def _beside_server(app: App, settings: Settings, command: Sequence[str]) -> int:
    with listen("127.0.0.1", 0) as sock:
        root = let_in(root_url(sock), app.run_token)
        environ = client_environment(os.environ, _simple_url(root, settings))
        async with serving(app, sock, server_options(settings, app)):
            return await _command(command, environ)


def _simple_url(root: str, settings: Settings) -> str:
    return f"{root}{settings.front.mount}/simple/"


async def _command(command: Sequence[str], environ: Mapping[str, str]) -> int:
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environ)
    except FileNotFoundError:
        print(f"cheesebox: {command[0]}: no such command", file=sys.stderr)
        return _NOT_FOUND
    except OSError as error:
        print(f"cheesebox: {command[0]}: {error.strerror}", file=sys.stderr)
        return _NOT_EXECUTABLE
    with _forwarding(process):
        code = await process.wait()
    return code if code >= 0 else _SIGNALLED - code


@contextmanager
def _forwarding(process: asyncio.subprocess.Process) -> Iterator[None]:
    """Pass signals on to the command and outlive them: its exit code is ours.

    What the keyboard sends reaches the command by itself when it runs in the terminal's foreground;
    passed on as well it would come twice.
    """
    loop = asyncio.get_running_loop()
    from_terminal = _in_foreground()

    def forward(number: signal.Signals) -> None:
        if process.returncode is None and not (from_terminal and number in _FROM_KEYBOARD):
            process.send_signal(number)

    for number in _FORWARDED:
        loop.add_signal_handler(number, forward, number)
    try:
        yield
    finally:
        for number in _FORWARDED:
            loop.remove_signal_handler(number)


def _in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


command = SettingsCommand(
    "run",
    _run,
    params=[click.Argument(["command"], nargs=-1, required=True, type=click.UNPROCESSED)],
    context_settings={"allow_interspersed_args": False},
    help="""Run COMMAND with its package downloads going through the cache.

    The cache serves on a free port of loopback for as long as the command runs; a table of what came
    from where ends it. If a server has the cache directory already, that server is used. The exit code
    is that of COMMAND; as in a shell 127 means that there is none of this name, 126 that it cannot be
    executed, and 128 + n that signal n ended it.

    \b
    Example:
      cheesebox run -- pip install -r requirements.txt
      cheesebox run -- uv sync

    pip, uv, pdm and pipenv follow the environment variables that the command gets. Poetry has none
    for its built-in source: with the plugin poetry-plugin-pypi-mirror it follows too, without it add
    a running cache to the project: poetry source add --priority=primary cheesebox URL
    """,
    short_help="Run a command with its package downloads going through the cache.",
)
