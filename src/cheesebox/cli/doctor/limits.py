"""Verdict about the limits that the system sets to the process; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.cli.doctor.findings import ok, warn

if TYPE_CHECKING:
    from cheesebox.cli.doctor.findings import Finding

_BESIDE = 256
"""Handles for the catalogue, the files that are kept open, and a fleet of clients that starts at once."""


def judge_open_files(soft: int | None, max_connections: int) -> Finding:
    """Judge ``ulimit -n`` (None: unlimited): each download has a connection and a file, as has its client."""
    needed = 3 * max_connections + _BESIDE
    if soft is None:
        return ok("limits", "any number of open files")
    if soft < needed:
        fix = "ulimit -n 65536, or LimitNOFILE=65536 in the systemd unit"
        said = f"{soft} open files; max_connections = {max_connections} may need {needed}"
        return warn("limits", said, fix)
    return ok("limits", f"{soft} open files")
