"""What an answer stands on, as it can be told to another process.

A lease knows by itself whether it holds; who is elsewhere knows only the time, and what has changed
since by the keys that are named here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cheesebox.ports import Key


@dataclass(frozen=True, slots=True)
class Terms:
    """The answer holds until ``ends`` (seconds since the epoch), or until one of the keys changes.

    ``most`` is the longest freshness lifetime to tell, in seconds.
    """

    keys: tuple[Key, ...]
    ends: float = math.inf
    most: float = 0.0


def joint(parts: Iterable[Terms | None]) -> Terms | None:
    """Give the terms of what stands on several; None if one of them can't be told."""
    told = list(parts)
    known = [terms for terms in told if terms is not None]
    if not known or len(known) < len(told):
        return None
    keys = tuple(dict.fromkeys(key for terms in known for key in terms.keys))
    return Terms(keys, min(terms.ends for terms in known), min(terms.most for terms in known))
