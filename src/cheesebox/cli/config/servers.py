"""Snippets for what stands around the server: nginx in front of it, systemd that keeps it running; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.cli.config.address import listening, scheme

if TYPE_CHECKING:
    from pathlib import Path

    from cheesebox.cli.config.address import Address
    from cheesebox.settings import IndexSettings, Settings

_NGINX_KEEPALIVE = 60
_STOP_MARGIN = 5


@dataclass(frozen=True, slots=True)
class Served:
    """What is served: an index, its settings, and where the program and its settings file lie."""

    settings: Settings
    index: IndexSettings
    address: Address
    program: str
    config: Path | None = None


def nginx(served: Served) -> str:
    """Write what puts an index on a subpath of a site that nginx serves.

    nginx weakens the entity tags of what it compresses, and drops those of what it rewrites
    (RFC 9110 §8.8.1); cheesebox compresses by itself, so nginx hands on what it gets.
    """
    settings, mount, path = served.settings, served.index.mount, served.address.path
    # nginx has to be the first to give an idle connection up: what is sent into a closed one is lost.
    idle = max(1, min(_NGINX_KEEPALIVE, math.floor(settings.keep_alive * 0.8)))
    return f"""\
# Into the http block, once:
upstream cheesebox {{
    server {listening(settings)};
    keepalive 32;
    keepalive_timeout {idle}s;
}}

# Into the server block of the site; clients then use {served.address.simple_url}
location {path}/ {{
    proxy_pass {scheme(settings)}://cheesebox{mount}/;
    proxy_redirect {mount}/ {path}/;

    proxy_http_version 1.1;             # with an empty Connection: connections to cheesebox are kept
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;

    gzip off;                           # cheesebox compresses; nginx would weaken the entity tags
    proxy_buffering off;                # a file is passed on while it is still downloaded
    proxy_buffer_size 64k;
    proxy_buffers 4 64k;                # unused, but nginx wants the sizes to fit each other
    proxy_busy_buffers_size 128k;
    proxy_cache off;
    proxy_read_timeout 300s;            # an upstream may be slow with a first byte
}}
"""


def systemd(served: Served) -> str:
    """Write a unit that runs the server as a user of its own, with the rights it needs."""
    config = f" --config {_quoted(str(served.config))}" if served.config else ""
    # What stands in the file may be changed there; the environment would be stronger.
    address = "" if config else _listening(served.settings)
    stop = math.ceil(served.settings.shutdown_grace) + _STOP_MARGIN
    home = "read-only" if served.program.startswith(("/home/", "/root/")) else "yes"
    return f"""\
# /etc/systemd/system/cheesebox.service, then:
#   systemctl daemon-reload && systemctl enable --now cheesebox
[Unit]
Description=cheesebox, a short-term cache for Python package indexes
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart={_quoted(served.program)} serve{config}
{address}Environment=CHEESEBOX_CACHE_DIR=%C/cheesebox
CacheDirectory=cheesebox
WorkingDirectory=%C/cheesebox
DynamicUser=yes
Restart=on-failure
RestartSec=2s
# 2 means a setting that has to be put right.
RestartPreventExitStatus=2
TimeoutStopSec={stop}s
LimitNOFILE=65536

CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome={home}
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def _listening(settings: Settings) -> str:
    host, port = settings.host.replace("%", "%%"), settings.port
    return f"Environment=CHEESEBOX_HOST={host}\nEnvironment=CHEESEBOX_PORT={port}\n"


def _quoted(word: str) -> str:
    """Write a word of a command line (systemd.syntax(7), systemd.service(5))."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(sign in word for sign in " \t\"'\\;") else escaped
