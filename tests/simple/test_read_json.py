from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.errors import UnreadablePage
from cheesebox.simple.names import ProjectName
from cheesebox.simple.read_json import read_json_list, read_json_page
from tests.simple.strategies import JSON

URL = "https://index.example/root/simple/foo/"


def read(document):
    return read_json_page(json.dumps(document).encode(), URL, ProjectName("foo"))


def a_document(*urls, **more):
    return {"files": [{"filename": "a.zip", "url": url} for url in urls], **more}


@pytest.mark.parametrize(
    ("written", "absolute"),
    [
        ("https://files.example/packages/a.zip", "https://files.example/packages/a.zip"),
        ("https://files.example/a.zip#sha256=00", "https://files.example/a.zip"),
        ("../../packages/a.zip", "https://index.example/root/packages/a.zip"),
        ("/packages/a.zip", "https://index.example/packages/a.zip"),
        ("//files.example/a.zip", "https://files.example/a.zip"),
        ("a%2Bb.zip?x=1", "https://index.example/root/simple/foo/a%2Bb.zip?x=1"),
    ],
)
def test_a_url_becomes_absolute_and_the_written_one_is_kept(written, absolute):
    (file,) = read(a_document(written)).files
    assert file.url == absolute
    assert file.raw["url"] == written


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/a.zip",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://[bad/a",
        "//[bad/a",
        "https:///a",
        "http://h:x/a",
    ],
)
def test_a_link_that_leads_out_of_the_web_is_dropped(url):
    page = read(a_document(url, "a.zip"))
    assert [file.raw["url"] for file in page.files] == ["a.zip"]


def test_all_other_keys_stay_in_order():
    page = read({"_last-serial": 3, **a_document("a.zip"), "versions": ["1"], "x": {"y": None}})
    assert list(page.document.items()) == [("_last-serial", 3), ("versions", ["1"]), ("x", {"y": None})]
    assert page.files_position == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"a"',
        b"null",
        b"{}",
        b'{"files":{}}',
        b'{"files":null}',
        b'{"files":[1]}',
        b'{"files":[{"url":"a"}]}',
        b'{"files":[{"filename":"a"}]}',
        b'{"files":[{"filename":1,"url":"a"}]}',
        b'{"files":[{"filename":"a","url":null}]}',
        b'{"files":[],"meta":{"api-version":"2.0"}}',
        b'{"files":[],"meta":{"api-version":"0.9"}}',
        b'{"files":[],"meta":{"api-version":"10"}}',
        b'{"files":[],"name":"\xe9"}',
        '{"files":[]}'.encode("utf-16"),
        b'{"files":[],"x":1e999}',
        b'{"files":' + b"[" * 100_000,
    ],
)
def test_an_unreadable_page_is_told(body):
    with pytest.raises(UnreadablePage):
        read_json_page(body, URL, ProjectName("foo"))


@pytest.mark.parametrize("version", ["1.0", "1.4", "1.99", "1"])
def test_a_newer_minor_version_only_adds(version):
    assert read(a_document(meta={"api-version": version})).api_version == version


@given(
    st.dictionaries(st.sampled_from(["hashes", "size", "yanked", "core-metadata", "requires-python"]), JSON)
)
def test_odd_optional_values_leave_the_page_readable(optional):
    page = read({"files": [{"filename": "a.zip", "url": "a.zip", **optional}]})
    assert len(page.files) == 1


def test_the_list_gives_display_names_and_keeps_the_rest():
    listing = read_json_list(
        b'{"_x":1, "projects": [ {"name": "Foo.Bar", "_last-serial": 2}, {"name":"b"} ], "meta": {}}'
    )
    assert listing.names == ("Foo.Bar", "b")
    assert listing.projects == b'[{"name":"Foo.Bar","_last-serial":2},{"name":"b"}]'
    assert list(listing.document.items()) == [("_x", 1), ("meta", {})]
    assert listing.projects_position == 1


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"projects":{}}',
        b'{"projects":[{}]}',
        b'{"projects":[{"name":1}]}',
        b'{"projects":["foo"]}',
        b'{"projects":[],"meta":{"api-version":"2.0"}}',
        b'{"projects":[',
        b'{"projects":[{"name":"\xe9"}]}',
    ],
)
def test_an_unreadable_list_is_told(body):
    with pytest.raises(UnreadablePage):
        read_json_list(body)
