"""``cheesebox serve``: the server."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cheesebox import __version__
from cheesebox.app import build_app
from cheesebox.cli.options import SettingsCommand, settings_from
from cheesebox.ports import Totals
from cheesebox.server import logs
from cheesebox.server.hot_protocol import with_lane
from cheesebox.server.run import ServerOptions, serve
from cheesebox.server.sockets import listen, listen_apart, root_url
from cheesebox.server.switching import switch_by_signals
from cheesebox.server.tls import certificates_of
from cheesebox.setting_values import redacted
from cheesebox.units import human_size
from cheesebox.workers.supervisor import supervise

if TYPE_CHECKING:
    from pathlib import Path

    from cheesebox.app import App
    from cheesebox.settings import IndexSettings, Settings
    from cheesebox.workers.jobs import Told


def server_options(settings: Settings, app: App) -> ServerOptions:
    """Tell the server what is set, but for TLS."""
    return ServerOptions(
        keep_alive=settings.keep_alive,
        grace=settings.shutdown_grace,
        limit_concurrency=settings.limit_concurrency,
        protocol_class=with_lane(app.hot_lane),
        control_dir=settings.cache_dir,
    )


def ready_line(settings: Settings, root: str, totals: Totals) -> str:
    """Say what is served where. The address comes first: whoever looks for a URL finds that one."""
    served = ", ".join(_served(index, root) for index in settings.indexes if index.mount)
    size = f"{human_size(totals.size)} of {human_size(settings.max_size)}"
    return (
        f"cheesebox {__version__} at {served}  (cache: {settings.cache_dir}, {totals.entries} files, {size})"
    )


def _served(index: IndexSettings, root: str) -> str:
    upstreams = index.upstreams or (index.upstream,)
    what = index.sources or (index.path and (str(index.path),)) or map(redacted, upstreams)
    return f"{root}{index.mount}/simple/ serves {' '.join(what)}"


def _say_ready(settings: Settings, root: str, totals: Totals) -> None:
    print(ready_line(settings, root, totals), flush=True)
    if sys.stdout.isatty():
        print(f"pip install --index-url {root}{settings.front.mount}/simple/ PACKAGE", flush=True)


def _serve(config: Path | None, **options: Any) -> int:
    settings = settings_from(config, options)
    sink = logs.configure(settings.log_format, settings.log_level, sys.stderr, os.environ)
    if settings.workers > 1:
        return _serve_by_workers(settings)
    certificates = certificates_of(settings)
    app = build_app(settings, access_sink=sink)
    sock = listen(settings.host, settings.port)
    root = root_url(sock, "https" if certificates else "http")

    def announce() -> None:
        switch_by_signals(app.connectivity)
        _say_ready(settings, root, app.totals())

    serve(app, sock, replace(server_options(settings, app), certificates=certificates), announce)
    return 0


def _serve_by_workers(settings: Settings) -> int:
    """Leave the work to other processes, which import what it takes."""
    certificates_of(settings)  # a pair that does not fit is told before anything is started
    listeners = listen_apart(settings.host, settings.port, settings.workers)
    root = root_url(listeners[0], "http" if settings.tls_cert is None else "https")

    def announce(told: Told) -> None:
        _say_ready(settings, root, Totals(told.size, told.entries))

    supervise(settings, listeners, announce)
    return 0


command = SettingsCommand(
    "serve",
    _serve,
    help="""Serve the cache until SIGTERM or SIGINT. SIGUSR1 goes offline, SIGUSR2 goes online again.

    \b
    Example:
      cheesebox serve --cache-dir /var/cache/cheesebox --max-size 20GB
      pip install --index-url http://127.0.0.1:6283/pypi/simple/ PACKAGE
    """,
    short_help="Serve the cache.",
)
