"""Use that is known to the hour: it is noted once an hour however often something is used. Pure.

Hours are counted from the epoch. The scripts of the register reckon in the same way, on the server.
"""

from __future__ import annotations

from typing import NewType

HOUR = 3600.0
"""Seconds."""

Hour = NewType("Hour", int)
"""Which hour since the epoch."""


def hour_of(time: float) -> Hour:
    """Give the hour that a time (seconds since the epoch) is in."""
    return Hour(int(time // HOUR))


def is_unused(last_used: Hour, now: float, unused_for: float) -> bool:
    """Tell whether something last used in an hour has certainly been unused for so many seconds.

    Any use was before the hour's end, so that end counts. Nothing is asked of ``unused_for`` 0.
    """
    return unused_for <= 0 or last_used < hour_of(now - unused_for)
