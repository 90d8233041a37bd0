from __future__ import annotations

import string
from urllib.parse import quote, urljoin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cheesebox.errors import InvalidName, InvalidPath
from cheesebox.web.routes import (
    DatedRoute,
    FileRoute,
    LegacyRoute,
    ListRoute,
    PageRoute,
    ProvenanceRoute,
    RedirectRoute,
    route,
)

HASHED = f"packages/aa/bb/{'c' * 60}"
NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True)
PLAIN_PIECES = [
    "simple",
    "packages",
    "files",
    "pypi",
    "integrity",
    "json",
    "provenance",
    "six",
    "1.0",
    "six-1.0+x.whl",
]
ODD_PIECES = [
    "",
    " ",
    "\n",
    ".",
    "..",
    "%2e",
    "%2F",
    "%00",
    "%",
    "%zz",
    "%ff",
    "\\",
    "é",
    "%2B",
    "?",
    "//",
    "a" * 300,
]
PIECES = st.sampled_from([*PLAIN_PIECES, *ODD_PIECES])
ANY_PATH = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=8).map("/".join))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("simple/", ListRoute()),
        ("simple/six/", PageRoute("six")),
        ("simple/%73ix/", RedirectRoute("../six/")),
        ("//simple///six//", PageRoute("six")),
        ("simple", RedirectRoute("simple/")),
        ("simple/six", RedirectRoute("six/")),
        ("simple/Six/", RedirectRoute("../six/")),
        (f"{HASHED}/six-1.0.tar.gz", FileRoute(f"{HASHED}/six-1.0.tar.gz")),
        (f"{HASHED}/six-1.0%2Bx.whl.metadata", FileRoute(f"{HASHED}/six-1.0+x.whl.metadata")),
        ("files/a.example:80/x/six-1.0.zip", FileRoute("files/a.example:80/x/six-1.0.zip")),
        ("pypi/Six/json", LegacyRoute("six", None)),
        ("pypi/six/1!1.0+x/json", LegacyRoute("six", "1!1.0+x")),
        ("pypi/six/json/", RedirectRoute("../json")),
        ("pypi/six/1.0/json/", RedirectRoute("../json")),
        ("pypi/six/%31.0%2Bx/json", LegacyRoute("six", "1.0+x")),
        ("integrity/Six/1.0/six-1.0%2Bx.whl/provenance", ProvenanceRoute("six", "1.0", "six-1.0+x.whl")),
    ],
)
def test_a_known_path_is_understood(path, expected):
    assert route(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "other",
        "simples/",
        "simple/six/x",
        "simple/six%2f/",
        "simple/%ff/",
        "simple/-/",
        "pypi",
        "pypi/six",
        "pypi/six/json/x",
        "pypi/six/.1/json",
        "pypi/six/.1/json/",
        "pypi/-/json",
        "integrity/six/1.0/six.whl",
        "integrity/six/../six.whl/provenance",
        "integrity/six/1.0/%2e%2e/provenance",
        "integrity/six/1.0/%5c/provenance",
        "integrity/six/1.0/%/provenance",
        "integrity/six/1.0/é/provenance",
        "packages",
        f"{HASHED}/",
        f"{HASHED}/..",
        "simple/" + "a" * 2048,
    ],
)
def test_an_unknown_path_is_refused(path):
    with pytest.raises((InvalidPath, InvalidName)):
        route(path)


@given(ANY_PATH)
@example("simple/\x00/")
@example("pypi/a/1\n/json")
def test_any_path_is_understood_or_refused(path):
    try:
        found = route(path)
    except (InvalidPath, InvalidName):
        return
    for value in (getattr(found, name) for name in found.__slots__):
        segments = (value or "").split("/")
        if not isinstance(found, RedirectRoute):
            assert not {".", ".."} & set(segments)
            assert not set(value or "") & {"\\", "\x00", "\r", "\n"}


@given(NAMES, st.booleans())
def test_a_redirect_leads_to_the_page_of_the_same_project_and_no_further(name, slash):
    path = f"simple/{quote(name)}{'/' if slash else ''}"
    found = route(path)
    if isinstance(found, RedirectRoute):
        target = urljoin(f"/prefix/{path}", found.location)
        assert set(found.location) <= set(string.ascii_lowercase + string.digits + "-./")
        assert target.startswith("/prefix/simple/")
        found = route(target.removeprefix("/prefix/"))
    assert isinstance(found, PageRoute)


@pytest.mark.parametrize("head", ["@2026-01-31T18:00:00Z", "%402026-01-31T18%3A00%3A00Z"])
@pytest.mark.parametrize("rest", ["simple/", "simple/six/", "simple", "pypi/six/json", f"{HASHED}/six.whl"])
def test_a_moment_comes_before_any_route(head, rest):
    assert route(f"{head}/{rest}") == DatedRoute("2026-01-31T18:00:00Z", route(rest))


@pytest.mark.parametrize(
    "path", ["@2026-01-31", "@2026-01-31/", "@a/@b/simple/", "@%zz/simple/", "@a/other/"]
)
def test_a_moment_alone_leads_nowhere(path):
    with pytest.raises(InvalidPath):
        route(path)
