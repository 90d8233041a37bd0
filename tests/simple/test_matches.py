from __future__ import annotations

import pytest

from cheesebox.simple.matches import Matches, parse_match
from cheesebox.simple.model import DistributionFile
from cheesebox.simple.names import normalize


def file(version: str) -> DistributionFile:
    return DistributionFile({"filename": f"demo-{version}.tar.gz"}, "")


@pytest.mark.parametrize(
    ("entry", "version", "is_covered"),
    [
        ("demo", "1.0", True),
        ("demo", "no.version", True),
        ("Demo", "1.0", True),
        ("demo==1.0", "1.0.0", True),
        ("demo==1.0", "1.1", False),
        ("demo >=1, <2", "1.5", True),
        ("demo>=1,<2", "2.0", False),
        ("demo>=1", "2.0rc1", True),
        ("demo==1.*", "1.9", True),
        ("demo>=0", "no.version", False),
        ("other", "1.0", False),
    ],
)
def test_an_entry_means_a_project_and_versions_of_it(entry, version, is_covered):
    matches = Matches((parse_match("unrelated"), parse_match(entry)))
    assert (matches.find(normalize("demo"), file(version)) is not None) is is_covered


def test_the_first_entry_that_means_the_file_is_found():
    first, second = parse_match("demo>1", "because"), parse_match("demo")
    assert Matches((first, second)).find(normalize("demo"), file("2")) == first
    assert Matches((first, second)).find(normalize("demo"), file("1")) == second
    assert first.reason == "because"


def test_lists_with_the_same_entries_are_equal_and_are_shown_as_they_are_given():
    one, two = (Matches((parse_match("a==1"), parse_match("b"))) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != Matches((parse_match("b"), parse_match("a==1")))
    assert str(one) == "a==1 b"


@pytest.mark.parametrize("text", ["", "==1", "-demo", "demo=1", "demo==abc", "demo; x", "a b"])
def test_what_is_no_entry_is_refused(text):
    with pytest.raises(ValueError, match="is neither a project such as requests, or some of its versions"):
        parse_match(text)


@pytest.mark.parametrize(
    "text", ["demo[extra]", "demo; python_version>'3'", "demo @ https://a.example/x.whl"]
)
def test_an_entry_has_only_a_name_and_versions(text):
    with pytest.raises(ValueError, match="has more than a name and versions"):
        parse_match(text)
