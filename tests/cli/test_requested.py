from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from cheesebox.cli.requested import Requested, parse_requested
from cheesebox.simple.names import normalize

names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,12}[A-Za-z0-9])?", fullmatch=True)
versions = st.from_regex(
    r"([1-9]!)?[0-9]{1,3}(\.[0-9]{1,3}){0,3}(rc[0-9]|\.post[0-9]|\.dev[0-9])?(\+[a-z0-9]{1,5})?",
    fullmatch=True,
)
blanks = st.sampled_from(["", " ", "  "])


@given(names)
def test_any_spelling_of_a_name_means_its_project(name):
    assert parse_requested(name) == Requested(normalize(name))


@given(names, versions, blanks, blanks, st.sampled_from(["==", "==="]))
def test_a_version_may_follow_with_blanks_around_the_sign(name, version, before, after, sign):
    found = parse_requested(f"{name}{before}{sign}{after}{version}")
    assert found == Requested(normalize(name), str(Version(version)))
    assert parse_requested(str(found)) == found


@given(st.text(max_size=30))
def test_whatever_is_typed_is_read_or_refused_in_one_line(text):
    try:
        found = parse_requested(text)
    except ValueError as error:
        found = str(error)
    assert "\n" not in str(found)


@pytest.mark.parametrize(
    "text", ["", "==1.0", "demo==", "demo>=1", "demo~=1.0", "demo==1.*", "demo==x", "a b", "-x"]
)
def test_what_names_no_single_release_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_requested(text)


def test_extras_are_refused_with_the_reason():
    with pytest.raises(ValueError, match="extras have no files"):
        parse_requested("requests[socks]==2.0")


def test_a_version_from_before_the_rules_is_taken_after_three_signs():
    assert parse_requested("demo===1.0dev-r123-x") == Requested(normalize("demo"), "1.0dev-r123-x")
