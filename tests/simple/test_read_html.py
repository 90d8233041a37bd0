from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cheesebox.errors import UnreadablePage
from cheesebox.simple.names import ProjectName
from cheesebox.simple.read_html import read_html_list, read_html_page

URL = "https://index.example/root/simple/foo/"
HEX = "0f" * 32


def read(text, content_type="text/html"):
    return read_html_page(text.encode(), content_type, URL, ProjectName("foo"))


def read_file(attributes, href="a-1.0.zip"):
    (file,) = read(f'<a href="{href}" {attributes}>a-1.0.zip</a>').files
    return file


def test_a_link_becomes_a_file():
    file = read_file("", href=f"../../packages/a%2B1-1.0.zip#sha256={HEX.upper()}&amp;egg=a")
    assert file.url == "https://index.example/root/packages/a%2B1-1.0.zip"
    assert file.raw["url"] == "../../packages/a%2B1-1.0.zip"
    assert file.filename == "a+1-1.0.zip"
    assert file.hashes == {"sha256": HEX}


def test_all_attributes_of_a_file_are_read():
    file = read_file(
        f'data-requires-python="&gt;=3.9" data-yanked="bad &quot;build&quot;"'
        f' data-core-metadata="sha256={HEX}"'
        ' data-dist-info-metadata="true" data-provenance="https://p.example/" data-gpg-sig="false"'
        ' data-size="12" data-upload-time="2024-01-02T03:04:05Z"'
    )
    assert file.requires_python == ">=3.9"
    assert file.yanked == 'bad "build"'
    assert file.core_metadata == {"sha256": HEX}
    assert file.provenance == "https://p.example/"
    assert file.raw["gpg-sig"] is False
    assert file.size == 12
    assert file.upload_time == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_plain_file_has_the_required_keys_alone():
    assert read_file("").raw == {"filename": "a-1.0.zip", "url": "a-1.0.zip", "hashes": {}}


def test_attributes_are_unescaped_exactly_once():
    assert read_file('data-requires-python="&amp;gt;=3.10"').requires_python == "&gt;=3.10"
    assert read_file("", href="a.zip?x=1&amp;amp;y=2").url.endswith("a.zip?x=1&amp;y=2")


@pytest.mark.parametrize("attribute", ["data-yanked", 'data-yanked=""'])
def test_a_file_is_yanked_without_a_reason(attribute):
    assert read_file(attribute).yanked is True


@pytest.mark.parametrize(
    ("attributes", "metadata"),
    [
        ('data-core-metadata="true"', True),
        ('data-core-metadata="FALSE"', False),
        ('data-dist-info-metadata="true"', True),
        (f'data-dist-info-metadata="SHA256={HEX}"', {"sha256": HEX}),
        ("data-core-metadata", False),
        ('data-core-metadata="odd" data-dist-info-metadata="true"', True),
    ],
)
def test_core_metadata_is_read_from_the_newer_name_first(attributes, metadata):
    assert read_file(attributes).core_metadata == metadata


@pytest.mark.parametrize("size", ["", "-1", "1.5", "many", "9" * 5000])
def test_a_size_that_is_no_number_is_absent(size):
    assert read_file(f'data-size="{size}"').size is None


def test_the_first_of_two_equal_attributes_stands():
    assert read_file('data-yanked="one" data-yanked="two"').yanked == "one"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ('<base href="https://files.example/x/">', "https://files.example/x/a.zip"),
        (
            '<base href="../y/"><base href="https://other.example/">',
            "https://index.example/root/simple/y/a.zip",
        ),
        ('<base href="javascript:0">', "https://index.example/root/simple/foo/a.zip"),
        ("<base>", "https://index.example/root/simple/foo/a.zip"),
    ],
)
def test_links_are_joined_with_the_base(base, url):
    (file,) = read(f'<head>{base}</head><a href=" a.zip ">a.zip</a>').files
    assert file.url == url


@pytest.mark.parametrize(
    "href", ["../", "", "#top", "mailto:a@b.example", "ftp://h.example/a.zip", "http://[bad/a"]
)
def test_links_to_folders_and_out_of_the_web_are_dropped(href):
    assert read(f'<a href="{href}">x</a><a name="y">y</a>').files == ()


def test_links_in_comments_and_scripts_are_none():
    assert read('<p><!-- <a href="a.zip">a</a> --><script>"<a href=b.zip>"</script>').files == ()


def test_the_status_of_the_project_is_read():
    page = read(
        '<meta name="pypi:repository-version" content="1.4">'
        '<meta name="pypi:project-status" content="archived">'
        '<META NAME="pypi:project-status-reason" CONTENT="moved &amp; gone"><meta charset="utf-8">'
    )
    assert (page.status, page.status_reason) == ("archived", "moved & gone")


def test_a_page_from_html_speaks_the_first_version_and_lists_no_versions():
    page = read(
        '<meta name="pypi:repository-version" content="1.4">'
        '<meta name="pypi:project-status" content="active">'
    )
    assert page.document == {
        "meta": {"api-version": "1.0"},
        "name": "foo",
        "project-status": {"status": "active"},
    }


@pytest.mark.parametrize("text", ["", "just words", '<meta name="pypi:repository-version" content="2.0">'])
def test_what_is_no_readable_page_is_told(text):
    with pytest.raises(UnreadablePage):
        read(text)


@pytest.mark.parametrize(
    "content_type", ["text/html", "text/html; charset=utf-7", "text/html; charset=unicode_escape"]
)
def test_a_page_in_another_writing_is_unreadable(content_type):
    with pytest.raises(UnreadablePage):
        read_html_page('<a href="a.zip">é</a>'.encode("latin-1"), content_type, URL, ProjectName("foo"))


def test_a_page_may_be_written_in_latin_1_if_it_says_so():
    body = '<a href="a.zip" data-yanked="gelé">a</a>'.encode("latin-1")
    page = read_html_page(body, 'text/html; charset="ISO-8859-1"', URL, ProjectName("foo"))
    assert page.files[0].yanked == "gelé"


MARKUP = st.sampled_from(
    [
        "<a ",
        "href=",
        '"',
        "x.zip",
        ">",
        "</a>",
        "<!",
        "<![",
        "<!--",
        "&#",
        "&amp",
        "<base href=",
        "\x00",
        "http://[",
    ]
)


@given(st.lists(MARKUP | st.text(max_size=3), max_size=12).map("".join))
@example("<![x]>")
def test_any_text_is_a_page_or_unreadable(text):
    try:
        page = read("<p>" + text)
    except UnreadablePage:
        return
    assert all(file.filename and file.url.startswith("http") for file in page.files)


def test_the_list_takes_the_text_or_the_folder_of_each_link():
    listing = read_html_list(
        b'<a href="/simple/foo-bar/">Foo.Bar</a><a href="../">../</a>'
        b'<a href="a-very-long-name/">a-very-l..&gt;</a>'
        b'<a href="baz/"><b>b</b>az/</a><a href="http://[bad">!</a>',
        "text/html",
        "https://index.example/simple/",
    )
    assert listing.names == ("Foo.Bar", "a-very-long-name", "baz")
    assert listing.projects == b'[{"name":"Foo.Bar"},{"name":"a-very-long-name"},{"name":"baz"}]'
    assert listing.api_version == "1.0"
