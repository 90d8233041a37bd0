from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.web.ranges import Asked, Span, Unsatisfiable, parse, resolve

SIZES = st.integers(0, 10_000)
POSITIONS = st.integers(0, 20_000)


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("bytes=0-0", Asked(0, 0)),
        ("bytes=5-", Asked(5, None)),
        ("bytes=-5", Asked(None, 5)),
        (" BYTES = 1 - 2 ", Asked(1, 2)),
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("bytes=2-1", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=٣-٤", None),
        ("bytes=" + "1" * 20 + "-", None),
    ],
)
def test_only_one_valid_byte_range_counts(header, asked):
    assert parse(header) == asked


def test_only_a_range_without_last_byte_is_open_ended():
    assert [parse(f"bytes={text}").is_open_ended for text in ("5-", "5-9", "-5")] == [True, False, False]


@given(st.one_of(st.text(), st.from_regex(r"bytes=[0-9 ,-]*")))
def test_any_header_is_read_or_ignored(header):
    asked = parse(header)
    if asked is not None:
        resolve(asked, 10)


@given(st.one_of(POSITIONS, st.none()), st.one_of(POSITIONS, st.none()), SIZES)
def test_a_resolved_range_lies_inside_the_file_and_has_bytes(first, last, size):
    asked = parse(f"bytes={'' if first is None else first}-{'' if last is None else last}")
    if asked is None:
        assert first is None or (last is not None and last < first)
        return
    found = resolve(asked, size)
    if isinstance(found, Span):
        assert 0 <= found.start < found.stop <= size
    else:
        assert found == Unsatisfiable()
        assert last == 0 if first is None and size else (first or 0) >= size


@given(st.binary(min_size=1, max_size=200), st.lists(st.integers(0, 200)))
def test_adjoining_ranges_concatenate_to_the_whole(content, cuts):
    edges = sorted({0, *(cut for cut in cuts if cut < len(content))})
    headers = [f"bytes={a}-{b - 1}" for a, b in pairwise(edges)] + [f"bytes={edges[-1]}-"]
    assert b"".join(_slice(content, header) for header in headers) == content


@given(st.binary(min_size=1, max_size=200), st.integers(1, 300))
def test_a_suffix_is_the_end_of_the_file(content, length):
    assert _slice(content, f"bytes=-{length}") == content[-length:]


def _slice(content, header):
    span = resolve(parse(header), len(content))
    return content[span.start : span.stop]
