from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.errors import UnreadablePage
from cheesebox.simple.legacy import listed_files, requested_files, rewrite_project_json
from cheesebox.simple.names import ProjectName
from tests.simple.strategies import JSON, TEXT


def rewritten(document):
    return json.loads(rewrite_project_json(json.dumps(document).encode(), lambda url: f"ours:{url}"))


def test_file_urls_change_and_all_else_stays():
    info = {"project_url": "https://p.example/", "url": "untouched"}
    document = {
        "info": info,
        "releases": {"1.0": [{"url": "a", "size": 1}], "2.0": []},
        "urls": [{"size": 1, "url": "b", "x": None}],
    }
    assert rewritten(document) == {
        "info": info,
        "releases": {"1.0": [{"url": "ours:a", "size": 1}], "2.0": []},
        "urls": [{"size": 1, "url": "ours:b", "x": None}],
    }


def test_the_body_is_compact_with_a_newline_in_the_order_of_upstream():
    body = b'{"z": 1, "urls": [ {"url": "a", "b": "\\u00e9"} ]}'
    assert rewrite_project_json(body, str.upper) == '{"z":1,"urls":[{"url":"A","b":"é"}]}\n'.encode()


@given(st.dictionaries(st.sampled_from(["urls", "releases"]) | TEXT, JSON))
def test_parts_of_another_shape_stay_as_they_are(document):
    assert rewritten(document) == document


@pytest.mark.parametrize("odd", [{"url": None}, {"url": 1}, {}, "url"])
def test_an_entry_without_a_url_stays_as_it_is(odd):
    assert rewritten({"urls": [odd], "releases": {"1": [odd], "2": odd}}) == {
        "urls": [odd],
        "releases": {"1": [odd], "2": odd},
    }


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_unreadable(body):
    with pytest.raises(UnreadablePage):
        rewrite_project_json(body, str)


DOCUMENT = {
    "info": {"version": "2.0"},
    "releases": {
        "0.9": [],
        "1.0": [{"filename": "a-1.0.whl", "url": "x", "upload_time_iso_8601": "2026-01-01T00:00:00Z"}],
        "2.0": [{"filename": "a-2.0.whl", "upload_time": "2026-01-02T00:00:00"}, {"filename": "a-2.0.zip"}],
    },
    "urls": [{"filename": "a-2.0.whl"}, {"filename": "a-2.0.zip"}],
}


def without(*hidden):
    return json.loads(rewrite_project_json(json.dumps(DOCUMENT).encode(), str, hidden))


def test_hidden_files_are_left_out_and_releases_with_nothing_else():
    assert without() == DOCUMENT
    left = without("a-2.0.whl")
    assert left["urls"] == [{"filename": "a-2.0.zip"}]
    assert list(left["releases"]) == ["0.9", "1.0", "2.0"]
    left = without("a-2.0.whl", "a-2.0.zip")
    assert (left["info"], left["urls"], list(left["releases"])) == (DOCUMENT["info"], [], ["0.9", "1.0"])


def test_the_files_of_all_releases_are_listed_once_with_their_upload_times():
    page = listed_files(json.dumps(DOCUMENT).encode(), ProjectName("a"))
    times = {file.filename: file.raw["upload-time"] for file in page.files}
    assert times == {
        "a-1.0.whl": "2026-01-01T00:00:00Z",
        "a-2.0.whl": "2026-01-02T00:00:00",
        "a-2.0.zip": None,
    }
    assert requested_files(json.dumps(DOCUMENT).encode()) == {"a-2.0.whl", "a-2.0.zip"}


@given(st.dictionaries(st.sampled_from(["urls", "releases"]) | TEXT, JSON))
def test_documents_of_another_shape_list_nothing_that_cannot_be_hidden(document):
    body = json.dumps(document).encode()
    names = {file.filename for file in listed_files(body, ProjectName("a")).files}
    assert requested_files(body) <= names
    assert not listed_files(rewrite_project_json(body, str, names), ProjectName("a")).files
