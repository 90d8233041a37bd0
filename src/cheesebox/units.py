"""Sizes in bytes and durations in seconds, as people write them.

Sizes are decimal unless they carry the ``i``: 1KB is 1000 bytes, 1KiB is 1024 (IEC 80000-13). Case
does not matter, and the ``B`` may be left out. A duration names its units from the longest to the
shortest, each once: ``1h30m``. A plain number means bytes, or seconds.
"""

from __future__ import annotations

import re
from fractions import Fraction

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*(?:([kmgtp])(i?))?b?", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(
    "".join(rf"(?:(\d{{1,15}}(?:\.\d{{1,9}})?){unit})?\s*" for unit in ("w", "d", "h", "m(?!s)", "s", "ms")),
    re.ASCII | re.IGNORECASE,
)
_PLAIN = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_PREFIXES = "kmgtp"
_SECONDS = (Fraction(604800), Fraction(86400), Fraction(3600), Fraction(60), Fraction(1), Fraction(1, 1000))

SIZE_EXAMPLES = "bytes with an optional unit, such as 50GB, 256KB or 1.5GiB"
DURATION_EXAMPLES = "seconds, or units from long to short, such as 30d, 1h30m, 5m, 2s or 500ms"


def parse_size(text: str) -> int:
    """Read a size; gives bytes, a rest below one byte is dropped. Raises ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a size: give {SIZE_EXAMPLES}")
    number, prefix, binary = found.groups()
    base = 1024 if binary else 1000
    power = _PREFIXES.index(prefix.lower()) + 1 if prefix else 0
    return int(Fraction(number) * base**power)


def parse_duration(text: str) -> float:
    """Read a duration; gives seconds. Raises ValueError."""
    stripped = text.strip()
    if _PLAIN.fullmatch(stripped):
        return float(stripped)
    found = _DURATION.fullmatch(stripped)
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is not a duration: give {DURATION_EXAMPLES}")
    amounts = zip(found.groups(default="0"), _SECONDS, strict=True)
    return float(sum(Fraction(number) * seconds for number, seconds in amounts))


def format_size(size: int) -> str:
    """Write a size exactly, in the largest unit that divides it; `parse_size` gives it back."""
    for power in range(len(_PREFIXES), 0, -1):
        for base, suffix in ((1000, "B"), (1024, "iB")):
            if size and size % base**power == 0:
                return f"{size // base**power}{_PREFIXES[power - 1].upper()}{suffix}"
    return str(size)


def format_duration(seconds: float) -> str:
    """Write a duration to the millisecond, as ``1h30m``; `parse_duration` gives it back."""
    rest = round(seconds * 1000)
    words = []
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        amount, rest = divmod(rest, length)
        if amount:
            words.append(f"{amount}{unit}")
    return "".join(words) or "0s"


def human_size(size: float) -> str:
    """Write a size for a reader, in decimal units with one decimal: ``18.5 KB``."""
    if size < 1000:  # noqa: PLR2004 - the base of decimal units
        return f"{size:.0f} B"
    power = 1
    while size / 1000**power >= 999.95 and power < len(_PREFIXES):  # noqa: PLR2004 - no rounding up to 1000.0
        power += 1
    return f"{size / 1000**power:.1f} {_PREFIXES[power - 1].upper()}B"
