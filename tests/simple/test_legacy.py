from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.errors import UnreadablePage
from cheesebox.simple.legacy import rewrite_project_json
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
