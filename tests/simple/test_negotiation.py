from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.simple.negotiation import Coding, Format, negotiate_coding, negotiate_format

V1 = "application/vnd.pypi.simple.v1"
LATEST = "application/vnd.pypi.simple.latest"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        (None, Format.TEXT),
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        (BROWSER, Format.TEXT),
        ("application/json", Format.TEXT),
        (f"{V1}+json, {V1}+html; q=0.1, text/html; q=0.01", Format.JSON),
        (f"{V1}+json, {V1}+html;q=0.2, text/html;q=0.01", Format.JSON),
        (f"{V1}+json, */*;q=0.1", Format.JSON),
        (f"{V1}+json, */*;q=0.01", Format.JSON),
        (f"{V1}+json", Format.JSON),
        ("text/html", Format.TEXT),
        (f"{LATEST}+json", Format.JSON),
        (f"{LATEST}+html", Format.HTML),
        (f"{V1}+html", Format.HTML),
        (f"{V1}+json;q=0, */*", Format.TEXT),
        (f"application/vnd.pyx.simple.v1+msgpack, {V1}+json;q=0.9, {V1}+html;q=0.2", Format.JSON),
        (f"{V1}+json;q=0.5, text/html;q=0.9", Format.TEXT),
        (f"{V1}+json;q=0.5, {V1}+html", Format.HTML),
        (f"{V1}+json;q=0.5, */*", Format.TEXT),
        (f"{V1}+html, text/html", Format.HTML),
        (f"{V1}+html;q=0.1, text/html", Format.TEXT),
        (f"{V1}+html;q=0, text/html;q=0", Format.TEXT),
        ("application/*", Format.HTML),
        ("text/*", Format.TEXT),
        (f"  {V1.upper()}+JSON ;  Q=1.0", Format.JSON),
        (f"{V1}+json;charset=utf-8;q = 0.5", Format.JSON),
        (f"{V1}+json;q=high", Format.JSON),
        (f"{V1}+json;q=.", Format.JSON),
        (f"{V1}+json;q=0.1, {V1}+json;q=0.9, text/html;q=0.5", Format.JSON),
        (f"{V1}+json;q=7, text/html", Format.JSON),
        (";;,,;q=1,", Format.TEXT),
    ],
)
def test_the_format_follows_accept(accept, answer):
    assert negotiate_format(accept) is answer


@pytest.mark.parametrize(
    ("parameter", "answer"),
    [
        (f"{V1}+json", Format.JSON),
        (f"{LATEST}+json", Format.JSON),
        (f"{V1}+html", Format.HTML),
        (f"{LATEST}+html", Format.HTML),
        ("text/html", Format.TEXT),
    ],
)
def test_the_parameter_goes_before_accept(parameter, answer):
    assert negotiate_format("text/html;q=0.3", parameter) is answer
    assert negotiate_format(f"{V1}+json", parameter) is answer


@pytest.mark.parametrize("parameter", ["", "json", "*/*", "TEXT/HTML", f"{V1}+json;q=1", Format.TEXT.value])
def test_any_other_parameter_counts_for_nothing(parameter):
    assert negotiate_format(f"{V1}+html", parameter) is Format.HTML


def test_a_latest_request_gets_a_concrete_type():
    assert negotiate_format(f"{LATEST}+json").content_type == f"{V1}+json"
    assert negotiate_format(f"{LATEST}+html").content_type == f"{V1}+html"


def test_only_plain_html_names_a_charset():
    assert [f.content_type for f in Format] == [f"{V1}+json", f"{V1}+html", "text/html; charset=utf-8"]


@pytest.mark.parametrize(
    ("accept_encoding", "answer"),
    [
        (None, Coding.IDENTITY),
        ("", Coding.IDENTITY),
        ("gzip, deflate", Coding.GZIP),
        ("x-gzip", Coding.GZIP),
        ("gzip, deflate, zstd", Coding.ZSTD),
        ("gzip, deflate, br, zstd", Coding.ZSTD),
        ("gzip;q=1.0, zstd;q=0.5", Coding.GZIP),
        ("gzip;q=0.5", Coding.GZIP),
        ("gzip;q=0", Coding.IDENTITY),
        ("identity", Coding.IDENTITY),
        ("identity, gzip;q=0.5", Coding.IDENTITY),
        ("identity, gzip", Coding.GZIP),
        ("identity;q=0, gzip;q=0.1", Coding.GZIP),
        ("identity;q=0", Coding.IDENTITY),
        ("*", Coding.ZSTD),
        ("*;q=0", Coding.IDENTITY),
        ("zstd;q=0, *", Coding.GZIP),
        ("zstd;q=0, gzip;q=0, *", Coding.IDENTITY),
        ("br, deflate", Coding.IDENTITY),
        ("GZIP", Coding.GZIP),
    ],
)
def test_the_coding_follows_accept_encoding(accept_encoding, answer):
    assert negotiate_coding(accept_encoding) is answer


def test_codings_have_their_registered_tokens():
    assert [coding.token for coding in Coding] == ["identity", "gzip", "zstd"]


PIECES = st.sampled_from(
    [f"{V1}+json", f"{V1}+html", "text/html", "*/*", ";q=", "0", "1", ".", ",", ";", "gzip", "nan"]
)


@given(st.text() | st.lists(PIECES).map("".join), st.none() | st.text())
def test_no_header_field_makes_negotiation_fail(field, parameter):
    assert negotiate_format(field, parameter) in Format
    assert negotiate_coding(field) in Coding
