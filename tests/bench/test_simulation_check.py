"""The model is held to the program: a real node, a drawn sequence of requests, and the same hits."""

from __future__ import annotations

from bench.simulation.check import Trial, check


def test_a_real_node_hits_where_the_model_says():
    checked = check(Trial(requests=600, seconds=3.0, projects=15, max_size=3_000_000, fresh_for=1.0, seed=5))
    assert 0.2 < checked.real.hit_ratio < 0.95
    assert checked.off_by < 2.0
    assert abs(checked.predicted.file_hit_ratio - checked.real.file_hit_ratio) < 0.02
    off = checked.predicted.upstream_requests - checked.real.upstream_requests
    assert abs(off) <= 0.03 * checked.real.upstream_requests + 2
