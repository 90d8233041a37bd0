from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cheesebox.web.conditional import is_unmodified_since, matches_none, not_modified, range_applies

ETAG = '"abc,d"'
MODIFIED = "Wed, 01 Jan 2025 00:00:00 GMT"
OPAQUE = st.text(st.characters(codec="latin-1", exclude_characters='"', exclude_categories=["Cc"]))


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        (ETAG, True),
        (f"W/{ETAG}", True),
        (f'"x" , W/"y",{ETAG}', True),
        (" * ", True),
        ('"abc"', False),
        ("abc,d", False),
        ("", False),
        ('"*"', False),
        (None, False),
    ],
)
def test_none_match_compares_weakly(header, matches):
    assert matches_none(header, ETAG) is matches


@pytest.mark.parametrize(
    ("header", "unmodified"),
    [
        (MODIFIED, True),
        ("Thu, 02 Jan 2025 00:00:00 GMT", True),
        ("Tue, 31 Dec 2024 23:59:59 GMT", False),
        ("junk", False),
        ("", False),
        (None, False),
    ],
)
def test_modified_since_compares_times(header, unmodified):
    assert is_unmodified_since(header, MODIFIED) is unmodified
    assert is_unmodified_since(header, "") is False


def test_an_etag_wins_over_a_date():
    assert not not_modified({"if-none-match": '"other"', "if-modified-since": MODIFIED}, ETAG, MODIFIED)
    assert not_modified({"if-modified-since": MODIFIED}, ETAG, MODIFIED)
    assert not not_modified({"if-modified-since": MODIFIED}, ETAG)
    assert not not_modified({}, ETAG, MODIFIED)


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [
        (None, True),
        (ETAG, True),
        (f" {ETAG} ", True),
        (MODIFIED, True),
        (f"W/{ETAG}", False),
        ('"x"', False),
        ("", False),
        ("Wed, 01 Jan 2025 00:00:01 GMT", False),
        ("junk", False),
    ],
)
def test_a_range_applies_to_exactly_the_same_file(if_range, applies):
    assert range_applies(if_range, ETAG, MODIFIED) is applies
    assert range_applies(if_range, ETAG, "") is (applies and if_range != MODIFIED)


@given(st.text(), st.text(), st.text())
@example("Mon, 1 Jan 0001 00:00:00 +2359", "x", "Mon, 1 Jan 9999 23:59:59 -2359")
@example("1 Jan 2025 00:00:00 -0000", " ", "Wed, 01 Jan 99999999999 00:00:00 GMT")
def test_no_header_breaks_a_decision(header, other, modified):
    headers = {"if-none-match": other, "if-modified-since": header}
    assert not_modified(headers, ETAG, modified) in (True, False)
    assert not_modified({"if-modified-since": header}, ETAG, modified) in (True, False)
    assert range_applies(header, ETAG, modified) in (True, False)


@given(OPAQUE, st.lists(OPAQUE, max_size=4), st.booleans())
def test_a_listed_etag_is_found(tag, others, is_weak):
    listed = ", ".join([*(f'"{other}"' for other in others), f'{"W/" if is_weak else ""}"{tag}"'])
    assert matches_none(listed, f'"{tag}"')


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_dates_compare_as_times_do(asked, known):
    asked, known = asked.replace(microsecond=0), known.replace(microsecond=0)
    text = [format_datetime(moment, usegmt=True) for moment in (asked, known)]
    if min(asked, known) >= datetime(1000, 1, 1, tzinfo=UTC):
        assert is_unmodified_since(*text) is (known <= asked)
