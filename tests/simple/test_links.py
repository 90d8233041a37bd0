from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.simple.links import (
    FileBase,
    absolute_links,
    learn_file_base,
    local_path,
    relative_links,
    upstream_url,
)
from cheesebox.simple.model import DistributionFile, ProjectPage
from cheesebox.simple.names import ProjectName
from cheesebox.simple.paths import FilePath, quote_path
from tests.simple.strategies import file_paths

BASE = FileBase("https://files.example/packages/")


def a_page(*urls):
    return ProjectPage(ProjectName("foo"), {}, tuple(DistributionFile({"url": url}, url) for url in urls))


@pytest.mark.parametrize(
    ("urls", "base"),
    [
        (["https://files.example/packages/aa/bb/c.whl"], "https://files.example/packages/"),
        (["https://cdn.example/x.zip", "http://h:8080/m/packages/c.whl"], "http://h:8080/m/packages/"),
        (
            ["HTTPS://user:word@Files.Example:443/packages/a/packages/c.whl?x#y"],
            "https://files.example/packages/",
        ),
        (["http://[::1]:81/packages/c.whl"], "http://[::1]:81/packages/"),
    ],
)
def test_the_file_base_is_learned_from_the_first_link_that_shows_it(urls, base):
    assert learn_file_base(a_page(*urls)) == FileBase(base)


@pytest.mark.parametrize(
    "urls", [[], ["https://h.example/a.zip", "https://h.example/a?/packages/"], ["ftp://h/packages/a"]]
)
def test_a_page_without_such_a_link_teaches_nothing(urls):
    assert learn_file_base(a_page(*urls)) is None


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://files.example/packages/aa/bb/a.whl#sha256=0", "packages/aa/bb/a.whl"),
        ("https://FILES.example:443/packages/aa/a%2Bb.whl?x=1", "packages/aa/a+b.whl"),
        ("https://files.example/packages/aa/a+b.whl", "packages/aa/a+b.whl"),
        ("https://files.example/packages/gelé 1.zip", "packages/gelé 1.zip"),
        ("https://files.example/other/a.whl", "files/files.example/other/a.whl"),
        ("https://cdn.example:8443/whl/a.whl", "files/cdn.example:8443/whl/a.whl"),
        ("http://files.example/packages/a.whl", "files/files.example/packages/a.whl"),
        ("http://[::1]:81/a.whl", "files/[::1]:81/a.whl"),
    ],
)
def test_a_file_has_one_path_below_the_mount(url, path):
    assert local_path(url, BASE) == path


def test_without_a_base_all_files_lie_under_their_host():
    assert local_path("https://files.example/packages/a.whl", None) == "files/files.example/packages/a.whl"


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example/packages/",
        "https://files.example/packages/../a.whl",
        "https://files.example/packages/%2e%2e/a.whl",
        "https://files.example/packages/a%2Fb.whl",
        "https://files.example/packages/a%5Cb.whl",
        "https://files.example/packages/a%zz.whl",
        "https://files.example",
        "https://../a.whl",
        "ftp://files.example/a.whl",
        "http://[bad/a.whl",
        "",
    ],
)
def test_a_url_that_no_path_can_stand_for_has_none(url):
    assert local_path(url, BASE) is None


@given(file_paths("packages/"))
def test_the_upstream_url_and_the_local_path_are_inverse(path):
    url = upstream_url(path, BASE)
    assert local_path(url, BASE) == path
    assert upstream_url(local_path(url, BASE), BASE) == url


def test_only_paths_of_the_base_have_an_upstream_url():
    assert upstream_url(FilePath("files/h.example/a.whl"), BASE) is None
    assert upstream_url(FilePath("packages/a.whl"), None) is None


@given(file_paths("packages/"), st.sampled_from([BASE, None]))
def test_links_are_quoted_once_and_carry_no_fragment(path, base):
    file = DistributionFile({}, "https://files.example/" + quote_path(path) + "?q#sha256=00")
    local = quote_path(local_path(file.url, base))
    assert relative_links(base)(file) == "../../" + local
    assert relative_links(base, up="../../../")(file) == "../../../" + local
    assert absolute_links(base, "https://here.example/pypi")(file) == "https://here.example/pypi/" + local
    assert absolute_links(base, "https://here.example/pypi/")(file) == "https://here.example/pypi/" + local


def test_a_file_without_a_path_is_linked_where_it_is():
    file = DistributionFile({}, "https://files.example/packages/%2e%2e/a.whl")
    assert relative_links(BASE)(file) == file.url
