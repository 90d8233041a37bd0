"""How hosts fare, as it is seen by those who ask them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cache.ledger import ANSWERED, FAILED, UPSTREAM, Ledger
from cheesebox.cache.upstream_watch import LATENCIES, HostHealth, UpstreamWatch
from cheesebox.errors import UpstreamBroken, UpstreamUnreachable
from cheesebox.ports import Count, Tally
from tests.cache.fakes import ManualClock, Plan, PlannedUpstream

URL = "https://user:secret@index.example/simple/demo/"


class Watched:
    def __init__(self) -> None:
        self.ledger, self.clock, self.upstream = Ledger(), ManualClock(1000.0), PlannedUpstream()
        ticks = iter(range(10_000))
        self.watch = UpstreamWatch(self.ledger, self.clock, lambda: next(ticks) * 0.25)
        self._asker = self.watch.over("pypi", self.upstream)

    async def ask(self, *plan, url=URL, **options):
        self.upstream.plan(url, Plan(*plan, **options))
        async with self._asker.request("GET", url, {}) as answer:
            return answer.status, [chunk async for chunk in answer.chunks()]

    def counted(self):
        return self.ledger.statistics().tallies


async def test_a_good_answer_is_counted_with_its_bytes_and_its_latency():
    watched = Watched()
    assert await watched.ask([b"abc", b"de"]) == (200, [b"abc", b"de"])
    (health,) = watched.watch.hosts()
    assert (health.host, health.requests, health.failures, health.bytes) == ("index.example", 1, 0, 5)
    assert (health.latency, health.latency_sum, health.succeeded_at) == (0.25, 0.25, 1000.0)
    assert watched.counted() == {Tally("pypi", UPSTREAM, ANSWERED): Count(1, 5)}


async def test_an_upstream_that_cannot_be_reached_has_failed():
    watched = Watched()
    for _ in range(2):
        with pytest.raises(UpstreamUnreachable):
            await watched.ask(before=UpstreamUnreachable("refused"))
    (health,) = watched.watch.hosts()
    assert (health.requests, health.failures, health.failures_in_a_row) == (2, 2, 2)
    assert (health.failed_at, health.last_error, sum(health.latencies)) == (1000.0, "refused", 0)
    assert watched.counted() == {Tally("pypi", UPSTREAM, FAILED): Count(2, 0)}


async def test_a_good_answer_ends_a_row_of_failures():
    watched = Watched()
    await watched.ask(status=503)
    await watched.ask(status=404)
    (health,) = watched.watch.hosts()
    assert (health.failures, health.failures_in_a_row, health.last_error) == (1, 0, "answered 503")


async def test_a_body_that_breaks_off_is_a_failure_and_its_bytes_are_counted():
    watched = Watched()
    with pytest.raises(UpstreamBroken):
        await watched.ask([b"abc", UpstreamBroken("cut")])
    (health,) = watched.watch.hosts()
    assert (health.failures, health.bytes, health.last_error) == (1, 3, "cut")
    assert watched.counted()[Tally("pypi", UPSTREAM, FAILED)] == Count(1, 0)


async def test_what_the_asker_dislikes_is_no_failure_of_the_connection():
    watched = Watched()
    watched.upstream.plan(URL, Plan([b"<html>"]))
    with pytest.raises(UpstreamBroken):
        async with watched._asker.request("GET", URL, {}):
            raise UpstreamBroken("no page")
    assert watched.watch.hosts()[0].failures == 0


async def test_hosts_are_told_apart_and_the_first_are_forgotten_when_there_are_many():
    watched = Watched()
    for number in range(300):
        await watched.ask(url=f"https://h{number}.example/")
    hosts = [health.host for health in watched.watch.hosts()]
    assert (len(hosts), hosts[0], hosts[-1]) == (256, "h44.example", "h299.example")


@given(st.lists(st.floats(0, 100), min_size=1))
def test_the_histogram_has_each_answer_in_its_bucket(seconds):
    health = HostHealth("a")
    for each in seconds:
        health.answered(0.0, each)
    below = [sum(health.latencies[: number + 1]) for number in range(len(LATENCIES))]
    assert below == [sum(each <= bound for each in seconds) for bound in LATENCIES]
    assert sum(health.latencies) == len(seconds)
    assert min(seconds) <= health.latency or health.latency == pytest.approx(min(seconds))
    assert health.latency <= max(seconds) or health.latency == pytest.approx(max(seconds))
