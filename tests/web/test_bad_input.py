"""Bad input gets a clear answer, and none of it reaches the upstream."""

from __future__ import annotations

import pytest

HASHED = b"packages/aa/bb/" + b"c" * 60 + b"/"
UNKNOWN = [
    b"/",
    b"/pypi",
    b"/pypi/",
    b"/other/simple/six/",
    b"/pypix/simple/six/",
    b"/pypi/unknown/",
    b"/pypi/simple/six/more",
    b"/pypi/simple/six/more/",
    b"/pypi/pypi/",
    b"/pypi/pypi/six",
    b"/pypi/pypi/six/json/x",
    b"/pypi/pypi/six/1/2/json",
    b"/pypi/integrity/six/1.0/six.whl",
    b"/pypi/packages",
    b"/pypi/packages/",
    b"/pypi/files/",
    b"/-/unknown",
]
INVALID_NAMES = b"- _six six- s*x s%20x s%0ax %C3%A9 s'x % %zz s%00 .".split()
TRICKS = [
    b"..",
    b"%2e%2e",
    b"%2E.",
    b".%00",
    b"..%2f..%2fetc",
    b"..%5c..",
    b"..\\..\\etc",
    b"a%00.whl",
    b"a%0d%0ax",
    b"%ff.whl",
    b"%C2%85.whl",
    b"%",
    b"%2",
    b"a" * 256 + b".whl",
    b"%2e",
    b"",
]


def _is_local_404(library, target, method=b"GET"):
    answer = library.box.raw_get(target, method)
    assert (answer.status, answer["content-type"]) == (404, "text/plain; charset=utf-8"), target
    assert answer["content-length"] == str(len(b"404 Not Found"))


@pytest.fixture
def untouched(library):
    """The upstream hears nothing."""
    library.pypi.clear()
    yield library
    assert library.pypi.requests == []


@pytest.mark.parametrize("target", UNKNOWN, ids=repr)
def test_unknown_paths_are_404(untouched, target):
    _is_local_404(untouched, target)
    _is_local_404(untouched, target + b"?x=1", b"HEAD")


@pytest.mark.parametrize("name", INVALID_NAMES, ids=repr)
def test_invalid_names_are_404(untouched, name):
    for target in (
        b"simple/%s/",
        b"simple/%s",
        b"pypi/%s/json",
        b"pypi/%s/1/json",
        b"integrity/%s/1/a/provenance",
    ):
        _is_local_404(untouched, b"/pypi/" + target % name)


@pytest.mark.parametrize("trick", TRICKS, ids=repr)
def test_path_tricks_are_404(untouched, trick):
    for folder in (b"packages/", HASHED, b"packages/../", b"packages/%2e%2e/", b"files/evil.example/..%2f/"):
        _is_local_404(untouched, b"/pypi/" + folder + trick)
    _is_local_404(untouched, b"/pypi/pypi/six/" + (trick or b".") + b"/json")
    _is_local_404(untouched, b"/pypi/integrity/six/1.0/" + trick + b"/provenance")


@pytest.mark.parametrize(
    "target",
    [
        b"/pypi/simple/../../etc/passwd",
        b"/pypi/simple/..%2f/",
        b"/pypi/simple/six%2f/",
        b"/pypi/%2e%2e/simple/",
        b"/pypi/packages/" + b"a/" * 600 + b"x.whl",
        b"/pypi/simple/" + b"a" * 3000 + b"/",
        b"/pypi/packages/a%2fb/six-1.0.whl",
    ],
    ids=lambda target: repr(target[:40]),
)
def test_climbing_and_over_long_paths_are_404(untouched, target):
    _is_local_404(untouched, target)


def test_bytes_beyond_ascii_are_no_request_target(untouched):
    for target in (b"/pypi/simple/\xe9/", b"/pypi/" + HASHED + b"\xe9.whl", b"/pypi/simple/six/\x00"):
        assert untouched.box.raw_get(target).status == 400


def test_a_host_that_no_page_named_is_never_asked(library):
    library.pypi.clear()
    target = b"/pypi/files/127.0.0.1:1/six-1.0.tar.gz"

    assert library.box.raw_get(target).status == 404
    assert {request.path for request in library.pypi.requests} == {"/simple/six/"}


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"PROPFIND"])
@pytest.mark.parametrize(
    "target",
    [
        b"/pypi/simple/",
        b"/pypi/simple/six/",
        b"/pypi/" + HASHED + b"six-1.0.tar.gz",
        b"/pypi/",
        b"/pypi//simple//",
    ],
)
def test_other_methods_are_405(untouched, method, target):
    answer = untouched.box.raw_get(target, method)

    assert (answer.status, answer["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_an_upload_is_refused_and_the_connection_goes_on(untouched):
    post = b"POST /pypi/simple/ HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)
    answers = untouched.box.raw(post + b"GET /-/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    assert answers.startswith(b"HTTP/1.1 405 ")
    assert answers.endswith(b"ok\n")


def test_own_endpoints_allow_reading_only(library):
    assert library.box.get("/-/health").body == b"ok\n"
    assert library.box.get("/-/ready").status == 200
    assert library.box.head("/-/health")["content-length"] == "3"
    answer = library.box.get("/-/health", "POST")
    assert (answer.status, answer["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/pypi/simple/", "/pypi/simple/six/", "/pypi/pypi/six/json"])
def test_a_preflight_is_allowed(untouched, path):
    asked = {"origin": "http://a.example", "access_control_request_method": "GET"}

    answer = untouched.box.get(path, "OPTIONS", access_control_request_headers="range", **asked)

    assert (answer.status, answer.body) == (204, b"")
    assert answer["access-control-allow-origin"] == "*"
    assert answer["access-control-allow-methods"] == answer["allow"] == "GET, HEAD, OPTIONS"
    assert "Range" in answer["access-control-allow-headers"]
    assert answer["access-control-max-age"] == "86400"


def test_plain_options_tell_the_methods(untouched):
    for target in (b"/pypi/simple/six/", b"/elsewhere"):
        answer = untouched.box.raw_get(target, b"OPTIONS")
        assert (answer.status, answer["allow"]) == (204, "GET, HEAD, OPTIONS")
        assert "access-control-max-age" not in answer.headers
    assert untouched.box.raw_get(b"/pypi/nothing", b"OPTIONS").status == 404


def test_an_absolute_request_target_is_its_path(library):
    answer = library.box.raw_get(library.box.url.encode() + b"/pypi/simple/some-project/?format=text/html")

    assert (answer.status, answer["content-type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "accept", ["q" * 60_000, "," * 60_000, ";" * 60_000, "a;q=" * 10_000, "\xe9/\xff", '"', "*/"]
)
def test_a_strange_accept_gets_the_default(library, accept):
    answer = library.box.raw_get(
        b"/pypi/simple/some-project/",
        b"GET",
        b"Accept: " + accept.encode("latin-1"),
        b"Accept-Encoding: " + accept.encode("latin-1"),
    )

    assert (answer.status, answer["content-type"]) == (200, "text/html; charset=utf-8")
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("value", ["x" * 60_000, '"' * 60_001, "W/" * 30_000, '"\xff"', " " * 30_000 + "x"])
@pytest.mark.parametrize("name", ["If-None-Match", "If-Modified-Since", "If-Range", "Range", "Cache-Control"])
def test_strange_conditions_are_ignored(library, name, value):
    field = f"{name}: {value}".encode("latin-1")
    for target in (b"/pypi/simple/some-project/", b"/pypi" + library.sdist.path.encode()):
        answer = library.box.raw_get(target, b"GET", field)
        assert answer.status == 200
        assert len(answer.body) == int(answer["content-length"])
