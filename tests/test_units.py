import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox import units


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("12", 12),
        ("50GB", 50 * 1000**3),
        ("256KB", 256_000),
        ("256kb", 256_000),
        ("1KiB", 1024),
        ("1.5GiB", 1_610_612_736),
        (" 2 M ", 2_000_000),
        ("1.9", 1),
        ("3PB", 3 * 1000**5),
    ],
)
def test_a_size_is_decimal_unless_it_says_i(text, size):
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "lots", "1 2", "1e3", "1XB", "١KB", "9" * 400])
def test_what_is_no_size_is_refused_with_the_value_and_examples(text):
    with pytest.raises(
        ValueError, match=r"is not a size: give bytes .* such as 50GB, 256KB or 1.5GiB"
    ) as caught:
        units.parse_size(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("2.5", 2.5),
        ("5m", 300.0),
        ("30d", 2_592_000.0),
        ("1w", 604_800.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("2S", 2.0),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("1.5h", 5400.0),
    ],
)
def test_a_duration_names_its_units_or_means_seconds(text, seconds):
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "ms", "-1s", "30m1h", "1m1m", "soon", "1y", "9" * 400])
def test_what_is_no_duration_is_refused_with_the_value_and_examples(text):
    with pytest.raises(ValueError, match=r"is not a duration: give seconds, .* such as 30d, 1h30m") as caught:
        units.parse_duration(text)
    assert repr(text) in str(caught.value)


@given(st.integers(min_value=0, max_value=10**15 - 1))
def test_a_size_that_was_written_reads_back_exactly(size):
    assert units.parse_size(units.format_size(size)) == size


@given(st.integers(min_value=0, max_value=10**12))
def test_a_duration_that_was_written_reads_back_to_the_millisecond(milliseconds):
    assert units.parse_duration(units.format_duration(milliseconds / 1000)) == pytest.approx(
        milliseconds / 1000
    )


@pytest.mark.parametrize(
    ("size", "text"), [(50 * 1000**3, "50GB"), (256_000, "256KB"), (1024, "1KiB"), (1001, "1001"), (0, "0")]
)
def test_a_size_is_written_in_the_largest_unit_that_divides_it(size, text):
    assert units.format_size(size) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (18_500, "18.5 KB"), (999_950, "1.0 MB"), (5 * 10**18, "5000.0 PB")],
)
def test_a_size_for_readers_has_one_decimal(size, text):
    assert units.human_size(size) == text
