from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from bench.simulation.day import DAY, Day, Shape
from bench.simulation.popularity import Popularity, Zipf, fit, read_downloads
from bench.simulation.projects import strata
from bench.simulation.requests import poisson
from bench.simulation.sizes import Quantiles, read_sizes
from hypothesis import given
from hypothesis import strategies as st

EXPONENTS = st.floats(0.1, 3.0)
LAWS = st.builds(Zipf, head=EXPONENTS, tail=EXPONENTS, knee=st.floats(1.0, 500.0))


@given(LAWS, st.integers(1, 2000))
def test_popularity_adds_up_to_one_and_falls(law, projects):
    shares = Popularity.of(law, projects).shares
    assert len(shares) == projects
    assert math.fsum(shares) == pytest.approx(1.0)
    assert all(more >= less > 0 for more, less in pairwise(shares))


@given(LAWS, st.integers(1, 5000), st.integers(1, 100))
def test_what_stands_for_all_is_asked_for_as_often_as_all(law, projects, most):
    cut = strata(Popularity.of(law, projects), most)
    assert [stratum.first for stratum in cut] == [1, *(stratum.last + 1 for stratum in cut[:-1])]
    assert cut[-1].last == projects
    assert math.fsum(s.share * s.count * s.weight for s in cut) == pytest.approx(1.0)


@given(EXPONENTS, EXPONENTS, st.floats(80.0, 3000.0))
def test_a_law_that_made_the_counts_is_found_again(head, tail, knee):
    law = Zipf(head, tail, knee)
    counts = [(rank, round(1e15 * law.weight(rank))) for rank in (1, 3, 10, 30, 60, 4000, 8000, 15000)]
    found = fit(counts)
    for rank, count in counts:
        assert count / counts[0][1] == pytest.approx(found.weight(rank), rel=0.35)


def test_the_fitted_law_meets_the_public_counts_within_a_factor_of_1_7():
    counts = read_downloads()
    law = fit(counts)
    for rank, count in counts:
        assert 1 / 1.7 < count / counts[0][1] / law.weight(rank) < 1.7


SHAPES = st.builds(Shape, bursts=st.floats(0, 0.9), burst_half=st.floats(60, 600), swing=st.floats(0, 0.9))


@given(SHAPES, st.floats(-2 * DAY, 2 * DAY))
def test_a_day_has_the_load_of_a_day_and_its_clock_goes_both_ways(shape, at):
    day = Day(shape)
    assert day.load(DAY) - day.load(0.0) == pytest.approx(DAY)
    assert day.when(day.load(at)) == pytest.approx(at, abs=1e-3)
    assert day.peak >= 1.0


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=200), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_rise_within_the_sample(sample, one, other):
    quantiles = Quantiles.of(sample)
    low, high = sorted((one, other))
    assert min(sample) <= quantiles.at(low) <= quantiles.at(high) <= max(sample)


def test_a_page_is_sent_smaller_than_it_is_stored():
    sizes = read_sizes()
    assert all(
        sent < stored for sent, stored in zip(sizes.page_sent.values, sizes.page_stored.values, strict=True)
    )


def test_poisson_draws_about_its_mean():
    source = random.Random(1)
    for mean in (0.1, 3.0, 59.0, 61.0, 400.0):
        drawn = sum(poisson(source, mean) for _ in range(1000)) / 1000
        assert drawn == pytest.approx(mean, abs=5 * math.sqrt(mean / 1000))
