"""What arrives is written and hashed in slices."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cache.writing import SLICE, slices

sizes = st.lists(st.integers(1, 3 * SLICE // 2), max_size=30)


@given(sizes)
def test_slices_are_the_whole_batch_and_none_is_much_longer_than_it_need_be(lengths: list[int]) -> None:
    batch = [bytes(length) for length in lengths]
    parted = list(slices(batch))
    assert [chunk for chunks in parted for chunk in chunks] == batch
    for chunks in parted:
        assert sum(map(len, chunks[:-1])) < SLICE
    for chunks in parted[:-1]:
        assert sum(map(len, chunks)) >= SLICE
