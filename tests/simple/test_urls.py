"""Links of pages: what is plain is not taken apart, and means the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.simple import urls
from cheesebox.simple.urls import resolve_any_link, resolve_link

BASE = "https://index.example/simple/six/"
PLAIN = [
    "https://files.example/packages/ab/cd/six-1.0.tar.gz",
    "http://127.0.0.1:8080/packages/six-1.0.tar.gz",
    "https://files.example:59999/six-1.0%2Blocal.tar.gz#sha256=00ff",
    "../../packages/ab/cd/six-1.0.tar.gz",
    "../../packages/six-1.0.tar.gz#md5=00ff",
    "six-1.0.tar.gz",
    "../../../../../six-1.0.tar.gz#",
]


@pytest.mark.parametrize("link", PLAIN)
def test_a_plain_link_is_not_taken_apart(monkeypatch, link):
    expected = resolve_any_link(link, BASE)
    assert expected is not None
    for start in ("", "../../", "../../../../../"):  # where links start from is remembered
        resolve_link(f"{start}six-0.9.tar.gz", BASE)

    def refuse(*_):
        raise AssertionError("taken apart")

    monkeypatch.setattr(urls, "resolve_any_link", refuse)
    assert resolve_link(link, BASE) == expected


WORDS = """
https:// http:// // / .. ../ . a A é %2F % ~ - _ + ? # & [ ] ; sha256=0f
host.example user@ : 80 65535 65536 99999
"""
PIECES = st.sampled_from([" ", "\t", *WORDS.split()])
LINKS = st.lists(PIECES, max_size=9).map("".join)
BASES = st.sampled_from(
    [BASE, "http://h:8080/a/b", "https://h", "https://h/", "https://u@h/s/?q#f", "ftp://h/x/", "no url", ""]
)


@given(LINKS | st.sampled_from(PLAIN), BASES | LINKS)
def test_every_link_means_what_it_means_taken_apart(link, base):
    assert resolve_link(link, base) == resolve_any_link(link, base)
