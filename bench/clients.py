"""uv as a client of the servers under test: always the checkout's, never the machine's settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def uv_command() -> list[str]:
    """Return the uv that stands beside this interpreter, else the one on PATH."""
    beside = Path(sys.executable).parent / "uv"
    return [str(beside)] if beside.exists() else ["uv"]


def uv_environment() -> dict[str, str]:
    """Return this environment without anything that points uv or pip elsewhere."""
    return {
        key: value for key, value in os.environ.items() if not key.startswith(("UV_", "PIP_", "VIRTUAL_ENV"))
    }
