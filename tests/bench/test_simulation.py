"""Laws of the simulated nodes, and how far the sampled simulation is from one of every request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench.simulation.capacity import Capacity, resources
from bench.simulation.cells import Plan, simulate, simulate_each
from bench.simulation.cluster import Cluster, Settings
from bench.simulation.day import Day, Shape
from bench.simulation.popularity import Popularity, Zipf
from bench.simulation.prices import Prices, cost
from bench.simulation.projects import What
from bench.simulation.requests import Load, every_request
from bench.simulation.sizes import Quantiles, read_sizes
from bench.simulation.tally import PART, upload_requests
from hypothesis import given, settings
from hypothesis import strategies as st

from cheesebox.cache.freshness import Policy

SAME = Quantiles((1000, 1000))
SEEDS = st.integers(0, 10**6)


def trace_of(seed, *, nodes=1, requests=400, projects=12, same_size=False, hours=3):
    sizes = read_sizes()
    if same_size:
        sizes = replace(sizes, page_stored=SAME, page_sent=SAME, metadata=SAME, file=SAME)
    load = Load(
        Popularity.of(Zipf(0.7, 1.5, 5.0), projects),
        replace(sizes, releases=200.0),
        Day(Shape()),
        requests * 24 / hours,
        nodes,
        start=6 * 3600.0,
        end=(6 + hours) * 3600.0,
        seed=seed,
    )
    return list(every_request(load))


def after(trace, **options):
    cluster = Cluster(Settings(**options))
    for at, node, project, what, slot in trace:
        cluster.ask(at, node, project, what, slot)
    return cluster


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(1, 60), st.integers(1, 60))
def test_more_room_never_gives_fewer_hits_where_all_are_of_one_size(seed, one, other):
    low, high = sorted((one, other))
    trace = trace_of(seed, same_size=True)
    few, many = (after(trace, max_size=count * 1000).tally for count in (low, high))
    assert few.file_hits <= many.file_hits
    assert few.metadata_hits <= many.metadata_hits
    assert few.hits <= many.hits


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(10**5, 10**8))
def test_the_upstream_is_asked_for_what_is_new_to_validate_or_lost_and_for_nothing_else(seed, room):
    trace = trace_of(seed, nodes=3)
    cluster = after(trace, nodes=3, max_size=room, shared_max_size=room)
    names = {project.item(what, slot, at).key for at, _, project, what, slot in trace}
    tally = cluster.tally
    assert tally.requests == len(trace)
    assert tally.upstream_whole <= len(names) + tally.refetched
    assert tally.hits + tally.shared_hits + tally.upstream_whole + tally.upstream_confirmed >= len(trace)
    assert tally.upstream_confirmed <= tally.pages


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_nodes_that_share_ask_once_for_all_where_nothing_is_evicted(seed):
    trace = trace_of(seed, nodes=4)
    one = after([request._replace(node=0) for request in trace], max_size=10**12).tally
    four = after(trace, nodes=4, max_size=10**12, shared_max_size=10**12).tally
    alone = after(trace, nodes=4, max_size=10**12, alone=True).tally
    assert four.upstream_whole == one.upstream_whole
    assert four.upstream <= one.upstream
    assert one.upstream <= alone.upstream


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(10**5, 10**8))
def test_a_node_by_itself_shares_nothing(seed, room):
    trace = trace_of(seed)
    one, alone = (after(trace, max_size=room, alone=alone).tally for alone in (False, True))
    assert one == alone
    assert one.register_calls == one.storage_gets == one.storage_puts == 0
    assert one.hits + one.upstream == one.requests


def test_a_page_is_fresh_as_long_as_the_policy_says_and_its_body_is_fetched_once():
    trace = [request for request in trace_of(3, projects=1, hours=1) if request.what is What.PAGE]
    project = replace(trace[0].project, released=())
    cluster = Cluster(Settings(policy=Policy(fresh_for=300.0)))
    for second in (0.0, 299.0, 301.0, 600.0, 602.0):
        cluster.ask(second, 0, project, What.PAGE, 0)
    tally = cluster.tally
    assert (tally.pages, tally.page_hits, tally.upstream_whole, tally.upstream_confirmed) == (5, 2, 1, 2)


def test_a_body_on_its_way_to_another_node_is_read_from_there():
    trace = [request for request in trace_of(3, nodes=2) if request.what is What.FILE]
    project = trace[0].project
    cluster = Cluster(Settings(nodes=2, upstream_latency=10.0))
    for at, node in ((100.0, 0), (105.0, 1), (120.0, 1)):
        cluster.ask(at, node, project, What.FILE, 0)
    tally = cluster.tally
    assert (tally.upstream_whole, tally.from_peer, tally.file_hits) == (1, 1, 1)
    assert tally.renewals == 3


@pytest.mark.parametrize(("size", "requests"), [(1, 1), (PART, 1), (PART + 1, 4), (10 * PART, 12)])
def test_a_long_body_is_stored_in_parts(size, requests):
    assert upload_requests(size) == requests


PLAN = Plan(2, 5e4, Settings(max_size=10**9, shared_max_size=10**11), projects=3_000, most=8)


def test_the_sampled_simulation_agrees_with_that_of_every_request():
    each = simulate_each(PLAN, warm_up=2).day
    draws = [simulate(replace(PLAN, seed=seed)).day for seed in (1, 2, 3)]
    mean = {name: sum(day[name] for day in draws) / len(draws) for name in each}
    assert mean["hit_ratio"] == pytest.approx(each["hit_ratio"], abs=0.03)
    assert mean["page_hits"] / mean["pages"] == pytest.approx(each["page_hits"] / each["pages"], abs=0.03)
    assert mean["file_hits"] / mean["files"] == pytest.approx(each["file_hits"] / each["files"], abs=0.05)
    assert mean["pages"] == pytest.approx(each["pages"], rel=0.05)


def test_twice_the_line_is_half_as_busy_and_the_first_bottleneck_comes_first():
    cell = simulate(replace(PLAN, steps=1e4))
    narrow, wide = ({r.name: r.used for r in resources(cell, Capacity(upstream=rate))} for rate in (1e3, 2e3))
    assert next(iter(narrow)) == "line to the upstream"
    assert wide["line to the upstream"] == pytest.approx(narrow["line to the upstream"] / 2)
    assert list(narrow.values()) == sorted(narrow.values(), reverse=True)


def test_a_month_costs_what_is_used():
    cell = simulate(replace(PLAN, steps=1e4))
    cheap, dear = (cost(cell, 10**9, Prices(put_million=price)) for price in (1.0, 3.0))
    assert dear.puts == pytest.approx(3 * cheap.puts)
    assert cheap.total == cheap.nodes + cheap.storage + cheap.gets + cheap.puts + cheap.register
    by_itself = cost(replace(cell, nodes=1, held_shared=0), 10**9, Prices())
    assert by_itself.total == by_itself.nodes > 0
