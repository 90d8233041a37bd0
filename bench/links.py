"""The lines that lead to the upstream, and the addresses of one that runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A line to the upstream: `rtt` seconds a round trip, `rate` bytes/s for all connections together (None:
    no limit).

    A connection costs one round trip before its first request, as TCP does; TLS and slow start are left out,
    which favours a client that goes to the upstream directly. `metadata` tells whether pages offer PEP 658.
    """

    name: str
    rtt: float = 0.0
    rate: float | None = None
    metadata: bool = True


NEAR = Link("near")
NEAR_PLAIN = Link("near-plain", metadata=False)
GBIT = Link("gbit", rate=125e6)
NARROW = Link("narrow", rate=20e6)
FAR = Link("far", rtt=0.030)
FAR_PLAIN = Link("far-plain", rtt=0.030, metadata=False)
LINKS = (NEAR, NEAR_PLAIN, GBIT, NARROW, FAR, FAR_PLAIN)
