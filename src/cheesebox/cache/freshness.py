"""When a stored page may be served, and what to do when it may not (RFC 9111 §4.2, RFC 5861).

Pure: time comes in as an argument. `decide` gives a decision, `cache.documents` acts on it.

Rules of this module:
1. A foreign copy (the upstream setting has changed since) is never fresh and never revalidated, and
   its serial does not count; it is served stale while the new upstream fails.
2. An expired copy is served for at most ``stale_for`` after its expiry.
3. While the upstream is in trouble, it is asked again only when the back-off has passed.
4. A copy is revalidated with a validator only while its body is young enough: validators of
   content delivery networks have been seen to outlive the content.
5. A copy that was validated after ``settled_after`` stays fresh: what is asked of it lies in the past.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    """The status of an answer, in nginx's words."""

    MISS = "MISS"
    HIT = "HIT"
    EXPIRED = "EXPIRED"
    REVALIDATED = "REVALIDATED"
    UPDATING = "UPDATING"
    STALE = "STALE"
    BYPASS = "BYPASS"


@dataclass(frozen=True, slots=True)
class Policy:
    """Freshness settings of one kind of page, all in seconds."""

    fresh_for: float = 300.0
    stale_for: float = 30 * 86400.0
    negative_for: float = 60.0
    refresh_patience: float = 2.0
    retry_after: float = 5.0
    retry_max: float = 60.0
    full_refetch_after: float = 86400.0
    refresh_min_age: float = 10.0
    advertised_max: float = 600.0
    settled_after: float = math.inf
    """Seconds since the epoch, unlike the others; see rule 5."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What a decision needs to know of a stored page."""

    validated_at: float
    fetched_at: float
    serial: int | None = None
    has_validator: bool = False
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class Serve:
    """Answer from the stored copy at once."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Refresh:
    """Join the refresh, wait at most ``patience`` seconds for it, then serve the stored copy."""

    patience: float


@dataclass(frozen=True, slots=True)
class Fetch:
    """Nothing may be served: wait for the upstream's answer."""


Decision = Serve | Refresh | Fetch


def decide(
    copy: Copy | None, now: float, policy: Policy, *, refresh: bool, refreshing: bool, retry_at: float
) -> Decision:
    """Decide how to answer a request.

    ``refresh``: the client asks for a revalidation (``no-cache``, RFC 9111 §5.2.1.4).
    ``refreshing``: a refresh of this page is under way.
    ``retry_at``: the end of the back-off after the last failure, 0 when there was none.
    """
    if copy is None or not is_usable(copy, now, policy):
        return Fetch()
    if refresh and now - copy.validated_at >= policy.refresh_min_age and now >= retry_at:
        return Refresh(policy.refresh_patience)
    if is_fresh(copy, now, policy):
        return Serve(Verdict.HIT)
    if refreshing:
        return Serve(Verdict.UPDATING)
    if now < retry_at:
        return Serve(Verdict.STALE)
    return Refresh(policy.refresh_patience)


def is_fresh(copy: Copy, now: float, policy: Policy) -> bool:
    """Tell whether the freshness lifetime has not passed. A copy from the future is not fresh."""
    return not copy.is_foreign and lifetime_left(copy.validated_at, now, policy) is not None


def lifetime_left(validated_at: float, now: float, policy: Policy) -> float | None:
    """Seconds for which the copy goes on to be fresh; None when it is not."""
    left = fresh_until(validated_at, policy) - now
    return left if left > 0 and now >= validated_at else None


def fresh_until(validated_at: float, policy: Policy) -> float:
    """Give the end of the freshness lifetime, in seconds since the epoch."""
    return math.inf if validated_at > policy.settled_after else validated_at + policy.fresh_for


def is_usable(copy: Copy, now: float, policy: Policy) -> bool:
    """Tell whether the copy may be served at all, fresh or stale."""
    return is_fresh(copy, now, policy) or now - copy.validated_at < policy.fresh_for + policy.stale_for


def remaining(copy: Copy, now: float, policy: Policy) -> int:
    """Whole seconds that clients may hold the page: what is left of its freshness lifetime.

    It is given as ``max-age`` rather than as an ``Age`` field because pip ignores ``Age``.
    """
    left = lifetime_left(copy.validated_at, now, policy)
    return 0 if copy.is_foreign or left is None else int(min(policy.advertised_max, left))


def may_revalidate(copy: Copy, now: float, policy: Policy) -> bool:
    """Tell whether the stored validator may be sent, or the whole body must be asked for."""
    return copy.has_validator and not copy.is_foreign and now - copy.fetched_at < policy.full_refetch_after


def is_regression(copy: Copy, serial: int | None, now: float, policy: Policy) -> bool:
    """Tell whether a whole answer is older than the stored one, by ``X-PyPI-Last-Serial``.

    Lagging mirrors and stale nodes of a delivery network answer so. The refusal ends when the
    stored body is older than ``full_refetch_after``: an index that was restored from a backup
    counts from a lower serial for ever.
    """
    if copy.serial is None or serial is None or copy.is_foreign:
        return False
    return serial < copy.serial and now - copy.fetched_at < policy.full_refetch_after


def is_outdated_confirmation(copy: Copy, serial: int | None) -> bool:
    """Tell whether a 304 contradicts itself: same validator, yet a higher serial."""
    return copy.serial is not None and serial is not None and serial > copy.serial


def back_off(failures: int, policy: Policy) -> float:
    """Seconds to leave the upstream alone after this many failures in a row (1 or more)."""
    return float(min(policy.retry_max, policy.retry_after * 2 ** min(failures - 1, 16)))
