"""Numbers and times as the dashboard writes them, with their units. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from cheesebox.units import human_size

NOTHING = "–"
_STEPS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_PARTS = 2
_ALMOST = 0.001
_SECOND = 1.0
_FOR_EVER = 1e12
_PIECE = re.compile(r"[^-._/]*[-._/]+|[^-._/]+")
_LATEST = 253_402_300_799.0
"""The last second of the year 9999: later ones have no name."""


def count(number: int) -> str:
    """Write a number with its thousands apart."""
    return f"{number:,}"


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number with the word for what is counted: ``1 file``, ``2 files``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def percent(share: float | None) -> str:
    """Write a share of 1; only what is whole is written as 0 or 100."""
    if share is None:
        return NOTHING
    if 0 < share < _ALMOST:
        return f"< {_ALMOST * 100:.1f} %"
    if 1 - _ALMOST < share < 1:
        return f"> {(1 - _ALMOST) * 100:.1f} %"
    return f"{share * 100:.1f} %" if share not in (0, 1) else f"{share * 100:.0f} %"


def size(number: float | None) -> str:
    """Write a size in bytes; None is unknown."""
    return NOTHING if number is None else human_size(number)


def span(seconds: float) -> str:
    """Write a duration in its two largest units: ``3 d 4 h``."""
    rest = max(0, int(seconds))
    words: list[str] = []
    for unit, length in _STEPS:
        amount, rest = divmod(rest, length)
        if amount or words:
            words.append(f"{amount} {unit}" if amount else "")
        if len(words) == _PARTS:
            break
    return " ".join(filter(None, words)) or "0 s"


def ago(now: float, at: float) -> str:
    """Write how long ago something was, in one unit; 0 is never."""
    if at <= 0:
        return "never"
    seconds = min(abs(now - at), _FOR_EVER)
    if seconds < _SECOND:
        return "now"
    amount, unit = next((int(seconds // length), unit) for unit, length in _STEPS if seconds >= length)
    return f"{amount} {unit} ago" if at < now else f"in {amount} {unit}"


def moment(at: float) -> str:
    """Write a time in UTC for a reader; 0 is never."""
    return "never" if at <= 0 else f"{_utc(at):%Y-%m-%d %H:%M:%S} UTC"


def machine_time(at: float) -> str:
    """Write a time for a program (HTML's ``datetime``)."""
    return f"{_utc(at):%Y-%m-%dT%H:%M:%SZ}"


def latency(seconds: float) -> str:
    """Write how long answers take; 0 is unknown."""
    if seconds <= 0:
        return NOTHING
    return f"{seconds:.2f} s" if seconds >= _SECOND else f"{max(1, round(seconds * 1000))} ms"


def pieces(name: str) -> list[str]:
    """Cut a file name after its separators, where a line may break."""
    return _PIECE.findall(name)


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(min(max(at, 0), _LATEST), UTC)
