"""Verdict about the configured address: a server, nobody, or something else; pure."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from cheesebox.cli.doctor.findings import fail, ok, warn

if TYPE_CHECKING:
    from cheesebox.cli.doctor.findings import Finding


class Listener(Enum):
    """Who answers at the configured address."""

    READY = auto()
    NOT_READY = auto()
    NOBODY = auto()
    OTHER = auto()


def judge_server(listener: Listener, url: str) -> Finding:
    """Judge who listens at the address ``url``."""
    match listener:
        case Listener.READY:
            return ok("server", f"cheesebox answers at {url}")
        case Listener.NOT_READY:
            return warn("server", f"cheesebox at {url} is not ready", f"see {url}/-/ready")
        case Listener.NOBODY:
            return warn("server", f"nobody listens at {url}", "cheesebox serve")
        case Listener.OTHER:
            return fail("server", f"another program listens at {url}", "stop it, or set another port")
