"""Moments in the past, as people write them in a URL or a setting."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

MOMENT_EXAMPLES = "a day such as 2026-01-31 or a time such as 2026-01-31T18:00:00Z"

_FORM = re.compile(
    r"\d{4}-\d{2}-\d{2}(?P<time>[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:[Zz]|[+-]\d{2}:\d{2}))?", re.ASCII
)
_DAY = timedelta(days=1)


def parse_moment(text: str) -> datetime:
    """Read a day, which means its last microsecond in UTC, or an RFC 3339 time; gives UTC.

    What was uploaded at that very moment or before belongs to it. Raises ValueError.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError(f"{text!r} is no moment: give {MOMENT_EXAMPLES}")
    try:
        if form["time"] is None:
            return datetime.fromisoformat(text).replace(tzinfo=UTC) + _DAY - datetime.resolution
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not in the calendar: give {MOMENT_EXAMPLES}") from None


def show_moment(moment: datetime) -> str:
    """Write an aware time as RFC 3339 in UTC, to the second or as exactly as it is."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
