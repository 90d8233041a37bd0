import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cheesebox.cache.freshness import Verdict
from cheesebox.cli.summary import source_of, summarise, summary

statuses = st.sampled_from([status.value for status in Verdict])
answers = st.dictionaries(
    st.tuples(st.sampled_from(["page", "file"]), statuses),
    st.tuples(st.integers(min_value=1, max_value=1000), st.integers(min_value=0, max_value=10**9)),
)


def written(found):
    console = Console(file=io.StringIO(), width=80)
    console.print(summary(found))
    return console.file.getvalue()


@pytest.mark.parametrize("status", list(Verdict))
def test_every_cache_status_has_a_source(status):
    assert source_of(status.value) in {"cache", "stale", "upstream"}


@given(answers)
def test_no_answer_and_no_byte_is_lost_in_the_sums(found):
    sums = summarise(found)
    assert sum(count for count, _ in sums.values()) == sum(count for count, _ in found.values())
    assert sum(size for _, size in sums.values()) == sum(size for _, size in found.values())


def test_the_table_has_a_row_for_each_kind_and_a_column_for_each_source():
    text = written({("page", "HIT"): (2, 1000), ("page", "MISS"): (1, 500), ("file", "STALE"): (1, 18_500)})
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert "from cache" in text
    assert ["page", "2", "1.0", "KB", "–", "1", "500", "B"] in lines
    assert ["file", "–", "1", "18.5", "KB", "–"] in lines


def test_answers_of_cheesebox_itself_are_not_counted():
    assert written({("other", "-"): (3, 9)}) == "cheesebox: nothing was asked of the cache\n"
