"""The views of one index: the plain one, and one for each moment in the past that is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cheesebox.errors import FileWithheld, NoSuchMoment
from cheesebox.simple.moments import parse_moment, show_moment

if TYPE_CHECKING:
    from cheesebox.cache.freshness import Policy
    from cheesebox.ports import Clock
    from cheesebox.simple.policies import Undated, View, Withheld

_LAG = 3600.0
"""Seconds that an upstream's delivery network may lag: a page that came so soon after a moment may
miss what was uploaded just before it."""
_SETTLED_MAX_AGE = 30 * 86400.0


class Views:
    """Gives views. ``undated`` holds for views of the past."""

    def __init__(self, plain: View, undated: Undated, clock: Clock) -> None:
        self.plain = plain
        self._undated = undated
        self._clock = clock

    def at(self, text: str) -> View:
        """Give the index as of a moment; raises `NoSuchMoment`."""
        try:
            moment = parse_moment(text)
        except ValueError as error:
            raise NoSuchMoment(str(error)) from None
        now = utc(self._clock())
        if moment >= now:
            raise NoSuchMoment(f"{text} has not passed: here it is {show_moment(now)}")
        return self.plain.stopped_at(moment, self._undated, f"@{text}")


def utc(seconds: float) -> datetime:
    """Give an aware time for seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def refusal(name: str, withheld: Withheld) -> FileWithheld:
    """Tell why something is withheld, and until when."""
    if withheld.until is None:
        return FileWithheld(f"{name} is withheld: {withheld.reason}")
    time = show_moment(withheld.until)
    return FileWithheld(
        f"{name} is withheld: {withheld.reason}; it is allowed from {time}", allowed_from=time
    )


def settled(policy: Policy, view: View) -> Policy:
    """Give the freshness of pages in a view: once its moment has passed they don't change any more."""
    if view.moment is None:
        return policy
    after = view.moment.timestamp() + _LAG
    return replace(policy, settled_after=after, advertised_max=_SETTLED_MAX_AGE)
