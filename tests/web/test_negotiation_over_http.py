"""Who asks how gets what (PEP 691, RFC 9110 §12.5)."""

from __future__ import annotations

import gzip
import json
import sys

import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PAGE = "/pypi/simple/some-project/"
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
TEXT = "text/html; charset=utf-8"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize("path", [PAGE, "/pypi/simple/"])
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, TEXT),
        ("*/*", TEXT),
        (BROWSER, TEXT),
        ("application/json", TEXT),
        ("text/html", TEXT),
        (f"{JSON}, {HTML}; q=0.1, text/html; q=0.01", JSON),
        (f"{JSON}, {HTML};q=0.2, text/html;q=0.01", JSON),
        (f"{JSON}, */*;q=0.1", JSON),
        (f"{JSON}, */*;q=0.01", JSON),
        (JSON, JSON),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("application/vnd.pypi.simple.latest+html", HTML),
        (HTML, HTML),
        (f"{JSON};q=0, */*", TEXT),
        (f"application/vnd.pyx.simple.v1+msgpack, {JSON};q=0.9, {HTML};q=0.2", JSON),
    ],
)
def test_the_representation_follows_accept(library, path, accept, content_type):
    answer = library.box.get(path, **({} if accept is None else {"accept": accept}))

    assert answer.status == 200
    assert answer["content-type"] == content_type
    assert answer.body.lstrip()[:1] == (b"{" if content_type == JSON else b"<")


@pytest.mark.parametrize(
    ("query", "content_type"),
    [
        (f"format={JSON}", JSON),
        ("format=application%2Fvnd.pypi.simple.v1%2Bjson", JSON),
        (f"x=1&format={HTML}", HTML),
        ("format=application/vnd.pypi.simple.latest+json", JSON),
        ("format=text/html", TEXT),
        ("format=nonsense", HTML),
        ("format", HTML),
        ("format=%FF%FE", HTML),
        ("&" * 5000 + f"format={JSON}", JSON),
    ],
)
def test_the_format_parameter_goes_before_accept(library, query, content_type):
    answer = library.box.get(f"{PAGE}?{query}", accept=HTML)

    assert (answer.status, answer["content-type"]) == (200, content_type)


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        (None, None),
        ("identity", None),
        ("gzip", "gzip"),
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, zstd", "zstd"),
        ("zstd;q=0, gzip;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("br", None),
        ("*;q=0", None),
        (";;q=,,gzip;q=x", "gzip"),
    ],
)
@pytest.mark.parametrize("path", [PAGE, "/pypi/simple/", "/pypi/pypi/some-project/json"])
def test_the_coding_follows_accept_encoding(library, path, accept_encoding, coding):
    asked = {} if accept_encoding is None else {"accept_encoding": accept_encoding}
    plain = library.box.get(path, accept=JSON)

    answer = library.box.get(path, accept=JSON, **asked)

    assert answer.headers.get("content-encoding") == coding
    decode = {"gzip": gzip.decompress, "zstd": zstd.decompress, None: bytes}[coding]
    assert decode(answer.body) == plain.body


def test_two_accept_fields_count_as_one_and_leave_no_answer_for_either(library):
    both = [b"Accept: " + JSON.encode(), b"Accept: text/html;q=0.1"]
    for _ in range(2):
        assert library.box.raw_get(PAGE.encode(), b"GET", *both)["content-type"] == JSON
    lane = library.box.app.hot_lane

    assert lane.find(PAGE.encode(), (b"text/html;q=0.1", b"")) is None
    assert library.box.get(PAGE, accept="text/html;q=0.1")["content-type"] == TEXT
    json_page = library.box.get(PAGE, accept=JSON)
    assert json.loads(json_page.body)["name"] == "some-project"
