"""Watches what is asked of upstreams: how many requests, how quick their answers, how they fare."""

from __future__ import annotations

import time
from bisect import bisect_left
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cheesebox.cache.ledger import ANSWERED, FAILED, UPSTREAM
from cheesebox.errors import UpstreamError
from cheesebox.ports import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from cheesebox.cache.ledger import Ledger
    from cheesebox.ports import Clock, Upstream, UpstreamAnswer

LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histogram's buckets in seconds; one more bucket has what is slower."""
_MOST_HOSTS = 256
_SERVER_ERROR = 500
_SMOOTHING = 0.1


@dataclass(slots=True)
class HostHealth:
    """How one host fares; times in seconds, moments since the epoch (0: never).

    ``latency`` is the smoothed time until an answer's head; ``latencies`` counts answers by bucket.
    """

    host: str
    requests: int = 0
    failures: int = 0
    failures_in_a_row: int = 0
    bytes: int = 0
    latency: float = 0.0
    latency_sum: float = 0.0
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCIES) + 1))
    succeeded_at: float = 0.0
    failed_at: float = 0.0
    last_error: str = ""

    def answered(self, now: float, seconds: float) -> None:
        """Note the head of a good answer."""
        self.failures_in_a_row = 0
        self.succeeded_at = now
        self.latency = seconds if not self.latency else self.latency + _SMOOTHING * (seconds - self.latency)
        self.latency_sum += seconds
        self.latencies[bisect_left(LATENCIES, seconds)] += 1

    def failed(self, now: float, error: str) -> None:
        """Note a failure."""
        self.failures += 1
        self.failures_in_a_row += 1
        self.failed_at = now
        self.last_error = error


class UpstreamWatch:
    """Keeps the health of each host that is asked, and counts requests by index in the ledger."""

    def __init__(self, ledger: Ledger, clock: Clock, timer: Callable[[], float] = time.perf_counter) -> None:
        """``timer`` measures seconds; ``clock`` tells the time of day."""
        self.ledger = ledger
        self.clock = clock
        self.timer = timer
        self._hosts: dict[str, HostHealth] = {}

    def over(self, index: str, upstream: Upstream) -> Upstream:
        """Give an upstream that is watched, for one index."""
        return _Watched(self, index, upstream)

    def host(self, url: str) -> HostHealth:
        """Give the health of a URL's host; the oldest are forgotten when there are many."""
        name = urlsplit(url).netloc.rpartition("@")[2]
        health = self._hosts.get(name)
        if health is None:
            if len(self._hosts) >= _MOST_HOSTS:
                del self._hosts[next(iter(self._hosts))]
            health = self._hosts[name] = HostHealth(name)
        return health

    def hosts(self) -> tuple[HostHealth, ...]:
        """Give all hosts, in the order in which they were first asked."""
        return tuple(self._hosts.values())


class _Watched:
    """An `Upstream` in front of another one."""

    def __init__(self, watch: UpstreamWatch, index: str, inner: Upstream) -> None:
        self._watch = watch
        self._inner = inner
        self._good = Tally(index, UPSTREAM, ANSWERED)
        self._bad = Tally(index, UPSTREAM, FAILED)

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> AsyncIterator[UpstreamAnswer]:
        """Send one request, and note how it went."""
        health = self._watch.host(url)
        health.requests += 1
        began = self._watch.timer()
        has_answered = False
        try:
            async with self._inner.request(method, url, headers) as answer:
                has_answered = True
                self._head(health, answer.status, self._watch.timer() - began)
                yield _WatchedAnswer(answer, self, health)
        except UpstreamError as error:
            if not has_answered:  # what comes later is told by the body, or is the asker's own judgement
                self.failed(health, str(error))
            raise

    def _head(self, health: HostHealth, status: int, seconds: float) -> None:
        if status >= _SERVER_ERROR:
            self.failed(health, f"answered {status}")
        else:
            health.answered(self._watch.clock(), seconds)
            self._watch.ledger.count(self._good, 0)

    def failed(self, health: HostHealth, error: str) -> None:
        """Note a failure."""
        health.failed(self._watch.clock(), error)
        self._watch.ledger.count(self._bad, 0)

    def received(self, health: HostHealth, size: int) -> None:
        """Note bytes of a body."""
        health.bytes += size
        self._watch.ledger.count(self._good, size, 0)


class _WatchedAnswer:
    """An answer whose body is counted as it comes."""

    def __init__(self, answer: UpstreamAnswer, watched: _Watched, health: HostHealth) -> None:
        self.status = answer.status
        self.url = answer.url
        self.headers = answer.headers
        self._answer = answer
        self._watched = watched
        self._health = health

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body."""
        size = 0
        try:
            async for chunk in self._answer.chunks():
                size += len(chunk)
                yield chunk
        except UpstreamError as error:
            self._watched.failed(self._health, str(error))
            raise
        finally:
            self._watched.received(self._health, size)
