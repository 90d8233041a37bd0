"""Range requests (RFC 9110 §14), pure: what is asked for, and what that is of a file of known size."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SINGLE = re.compile(r"\s*bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*\Z", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """One range as it was asked for: ``first-last``, ``first-`` or ``-suffix``."""

    first: int | None
    last: int | None

    @property
    def is_open_ended(self) -> bool:
        """Tell whether all from some byte on is asked for."""
        return self.first is not None and self.last is None


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes ``start`` up to ``stop``."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """No byte of the file is in the range: 416."""


def parse(header: str | None) -> Asked | None:
    """Read a ``Range`` header. Anything but one valid byte range is ignored: the whole is sent.

    Several ranges are ignored too (RFC 9110 §14.2 allows it): no package client asks for them.
    """
    found = _SINGLE.match(header) if header else None
    if found is None:
        return None
    first = int(found[1]) if found[1] else None
    last = int(found[2]) if found[2] else None
    if first is None and last is None:
        return None
    if first is not None and last is not None and last < first:
        return None
    return Asked(first, last)


def resolve(asked: Asked, size: int) -> Span | Unsatisfiable:
    """Say which bytes of a file of ``size`` bytes are meant."""
    if asked.first is None:
        suffix = min(asked.last or 0, size)
        return Span(size - suffix, size) if suffix else Unsatisfiable()
    if asked.first >= size:
        return Unsatisfiable()
    return Span(asked.first, size if asked.last is None else min(asked.last + 1, size))
