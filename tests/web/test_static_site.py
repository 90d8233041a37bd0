"""Directories served as they are, over HTTP."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.running import NOON, run_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.running import Running

SECRET = b"nobody may read this"
OUTSIDE = "outside"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A tree with a few files, and beside it what may not be reached."""
    base = tmp_path_factory.mktemp("static")
    (base / OUTSIDE).mkdir()
    (base / OUTSIDE / "secret.txt").write_bytes(SECRET)
    root = base / "www"
    (root / "docs" / "deep").mkdir(parents=True)
    (root / "app").mkdir()
    (root / ".git").mkdir()
    (root / ".well-known").mkdir()
    (root / "hello.txt").write_bytes(b"0123456789")
    (root / "empty").write_bytes(b"")
    (root / "big.bin").write_bytes(os.urandom(3 << 20))
    (root / "docs" / "a & <b>.md").write_text("# ü")
    (root / "docs" / "x.tar.gz").write_bytes(b"gz" * 1000)
    (root / "app" / "index.html").write_text("<p>hello</p>")
    (root / ".git" / "config").write_bytes(SECRET)
    (root / ".env").write_bytes(SECRET)
    (root / ".well-known" / "security.txt").write_text("Contact: x")
    (root / "link.txt").symlink_to("../outside/secret.txt")
    (root / "inner.txt").symlink_to("hello.txt")
    (root / "up").symlink_to("../outside")
    os.mkfifo(root / "pipe")
    return root


@pytest.fixture(scope="module")
def site(tree, tmp_path_factory) -> Iterator[Running]:
    config = tmp_path_factory.mktemp("config") / "cheesebox.toml"
    config.write_text(f"""
upstream = "http://127.0.0.1:9/simple/"
[[static]]
mount = "/"
root = "{tree}"
listing = true
[[static]]
mount = "/bare"
root = "{tree}"
""")
    with run_app(config.parent / "cache", "http://127.0.0.1:9/simple/", config=config) as running:
        yield running


def test_a_file_is_sent_with_type_validators_and_length(site, tree):
    answer = site.get("/hello.txt")
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert answer["content-type"] == "text/plain; charset=utf-8"
    assert answer["content-length"] == "10"
    assert answer["accept-ranges"] == "bytes"
    assert answer["x-content-type-options"] == "nosniff"
    assert re.fullmatch(r'"[0-9a-f-]+"', answer["etag"])
    assert answer["last-modified"].endswith(" GMT")
    assert site.get("/bare/hello.txt").body == b"0123456789"
    assert site.get("/big.bin").body == (tree / "big.bin").read_bytes()
    assert site.get("/empty").body == b""


def test_head_says_the_same_without_a_body(site):
    head, answer = site.head("/hello.txt"), site.get("/hello.txt")
    assert (head.status, head.body) == (200, b"")
    assert {**head.headers, "date": ""} == {**answer.headers, "date": ""}


@pytest.mark.parametrize(
    ("asked", "status", "body", "told"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
    ],
)
def test_ranges(site, asked, status, body, told):
    answer = site.get("/hello.txt", range=asked)
    assert (answer.status, answer.body, answer["content-range"]) == (status, body, told)


def test_conditional_requests(site):
    known = site.get("/hello.txt")
    for headers in ({"if_none_match": known["etag"]}, {"if_modified_since": known["last-modified"]}):
        answer = site.get("/hello.txt", **headers)
        assert (answer.status, answer.body, answer["etag"]) == (304, b"", known["etag"])
    assert site.get("/hello.txt", if_none_match='"other"').status == 200
    assert site.get("/hello.txt", range="bytes=1-1", if_range=known["etag"]).body == b"1"
    assert site.get("/hello.txt", range="bytes=1-1", if_range='"other"').status == 200


def test_a_date_tells_too_little_to_join_parts(site):
    known = site.get("/hello.txt")
    assert site.get("/hello.txt", range="bytes=1-1", if_range=known["last-modified"]).status == 200


def test_a_changed_file_has_another_entity_tag(site, tree):
    path = tree / "changing"
    path.write_bytes(b"one")
    first = site.get("/changing")["etag"]
    path.write_bytes(b"two")
    os.utime(path, ns=(0, 1))
    assert site.get("/changing", if_none_match=first).body == b"two"


def test_a_file_that_changed_just_now_has_no_strong_validator(site, tree):
    path = tree / "young"
    path.write_bytes(b"0123")
    os.utime(path, (NOON - 1, NOON - 1))
    answer = site.get("/young")
    assert answer["etag"].startswith('W/"')
    assert "last-modified" not in answer.headers
    assert site.get("/young", if_none_match=answer["etag"]).status == 304
    assert site.get("/young", range="bytes=1-1", if_range=answer["etag"]).status == 200
    strong = answer["etag"].removeprefix("W/")
    assert site.get("/young", range="bytes=1-1", if_range=strong).status == 200


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("docs/x.tar.gz", "application/gzip"),
        ("docs/a%20%26%20%3Cb%3E.md", "text/markdown; charset=utf-8"),
        ("app/index.html", "text/html; charset=utf-8"),
        ("empty", "application/octet-stream"),
    ],
)
def test_the_type_is_told_by_the_name(site, name, content_type):
    answer = site.get(f"/{name}")
    assert (answer.status, answer["content-type"]) == (200, content_type)
    assert "content-encoding" not in answer.headers


def test_a_folder_is_shown_by_its_index(site):
    assert site.get("/app/").body == b"<p>hello</p>"
    assert site.get("/bare/app/")["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", ["/docs", "/bare/app", "/docs/deep"])
def test_a_folder_without_slash_is_redirected_relatively(site, path):
    answer = site.get(f"{path}?x=1")
    assert answer.status == 302
    assert urljoin(path, answer["location"]) == f"{path}/?x=1"
    assert not answer["location"].startswith("/")


def test_doubled_slashes_are_redirected_to_the_same_site(site):
    answer = site.get("//docs//deep")
    assert (answer.status, answer["location"]) == (302, "/docs/deep")


def test_a_listing_names_all_that_can_be_got_and_nothing_else(site):
    page = site.get("/")
    text = page.body.decode()
    links = re.findall(r'<a href="([^"]*)">', text)
    assert links[:3] == [".well-known/", "app/", "docs/"]
    assert {"hello.txt", "big.bin", "empty"} <= set(links)
    for hidden in ("link.txt", "up", "pipe", ".git", ".env", "../"):
        assert hidden not in links
        assert f"{hidden}/" not in links
    assert all(site.follow("/", link).status == 200 for link in links)
    assert page["content-security-policy"].startswith("default-src 'none'")
    assert site.get("/", if_none_match=page["etag"]).status == 304


def test_a_listing_tells_sizes_and_dates_and_escapes_names(site, tree):
    os.utime(tree / "docs" / "x.tar.gz", (NOON, NOON))
    text = site.get("/docs/").body.decode()
    assert '<a href="a%20%26%20%3Cb%3E.md">a &amp; &lt;b&gt;.md</a>' in text
    assert '<td class="n">2.0 KB</td><td class="d"><span>2027-01-15</span> <span>08:00</span></td>' in text
    assert '<a href="../">' in text
    assert "http" not in text.replace("http-equiv", "")


def test_without_listing_a_folder_is_not_found(site):
    assert site.get("/bare/docs/").status == 404
    assert site.get("/bare/").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../outside/secret.txt",
        "/%2e%2e/outside/secret.txt",
        "/docs/../../outside/secret.txt",
        "/..%2foutside%2fsecret.txt",
        "/docs%2f..%2f..%2foutside/secret.txt",
        "/link.txt",
        "/inner.txt",
        "/up/secret.txt",
        "/up/",
        "/up",
        "/.git/config",
        "/.env",
        "/%2eenv",
        "/hello.txt/",
        "/hello.txt%00",
        "/hello.txt/x",
        "/pipe",
        "/" + "x" * 300,
        "/" + "x/" * 2500,
        "/%zz",
        "/docs/./x.tar.gz",
    ],
)
def test_what_may_not_be_reached_is_not_found(site, path):
    for mount in ("", "/bare"):
        answer = site.raw_get(mount.encode() + path.encode())
        assert answer.status == 404
        assert SECRET not in answer.body


def test_well_known_is_served(site):
    assert site.get("/.well-known/security.txt").status == 200


_PIECES = st.sampled_from(
    [
        "..",
        ".",
        "%2e%2e",
        "%2E.",
        "%2f",
        "/",
        "//",
        "up",
        "link.txt",
        "docs",
        "deep",
        "outside",
        "secret.txt",
        ".git",
        "config",
        ".env",
        "%00",
        "\\",
        "%5c",
        "hello.txt",
        "www",
        "%252e%252e",
        "pipe",
        "app",
    ]
)


@given(st.lists(_PIECES, max_size=8), st.booleans())
def test_no_path_leads_outside(site, pieces, slashes):
    path = "/" + ("/" if slashes else "").join(pieces)
    answer = site.raw_get(quote(path, safe="/%\\").encode())
    assert answer.status in (200, 302, 404)
    assert SECRET not in answer.body
    assert b"secret" not in answer.body or b"secret" in path.encode()
    assert "//" not in answer.headers.get("location", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(site, method):
    answer = site.get("/hello.txt", method, content_length="0")
    assert (answer.status, answer["allow"]) == (405, "GET, HEAD")


def test_an_index_keeps_its_place_below_the_root(site):
    assert site.get("/-/health").body == b"ok\n"
    assert site.get("/pypi/simple")["location"] == "simple/"
    assert site.get("/pypi/hello.txt").status == 404


def test_a_link_put_in_the_way_while_serving_is_not_followed(site, tree):
    (tree / "swapped").mkdir()
    (tree / "swapped" / "secret.txt").write_text("fine")
    assert site.get("/swapped/secret.txt").body == b"fine"
    (tree / "swapped").rename(tree / "was-swapped")
    (tree / "swapped").symlink_to(tree.parent / OUTSIDE)
    assert site.get("/swapped/secret.txt").status == 404


def test_no_file_stays_open(site):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("/hello.txt", "/hello.txt/", "/app/", "/docs/", "/big.bin", "/nothing", "/up/x"):
        site.get(path)
        site.head(path)
        site.get(path, range="bytes=99999999-")
        site.get(path, if_none_match="*")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 3
