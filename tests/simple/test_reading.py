from __future__ import annotations

import pytest

from cheesebox.errors import UnreadablePage
from cheesebox.simple.names import ProjectName
from cheesebox.simple.reading import read_project_list, read_project_page

URL = "https://index.example/simple/foo/"
JSON_PAGE = (
    b'{"meta":{"api-version":"1.4"},"name":"foo","files":[{"filename":"a.zip","url":"a.zip","hashes":{}}]}'
)
HTML_PAGE = b'<!DOCTYPE html><a href="a.zip">a.zip</a>'
JSON_LIST = b'{"meta":{"api-version":"1.4"},"projects":[{"name":"Foo"}]}'
HTML_LIST = b'<a href="foo/">Foo</a>'
V1 = "application/vnd.pypi.simple.v1"


@pytest.mark.parametrize(
    "content_type",
    [
        f"{V1}+json",
        f"{V1}+JSON; charset=utf-8",
        "application/json",
        "",
        "text/plain",
        "application/octet-stream",
    ],
)
@pytest.mark.parametrize("lead", [b"", b"\xef\xbb\xbf"])
def test_json_is_known_by_its_type_or_its_first_character(content_type, lead):
    page = read_project_page(lead + JSON_PAGE, content_type, URL, ProjectName("foo"))
    assert [file.url for file in page.files] == ["https://index.example/simple/foo/a.zip"]
    assert page.api_version == "1.4"
    assert read_project_list(lead + JSON_LIST, content_type, URL).names == ("Foo",)


@pytest.mark.parametrize(
    "content_type",
    [f"{V1}+html", "text/html", "text/html; charset=utf-8", "Text/HTML;charset=latin1", "", "x/y"],
)
def test_html_is_known_by_its_type_or_its_first_character(content_type):
    page = read_project_page(b"\n" + HTML_PAGE, content_type, URL, ProjectName("foo"))
    assert [file.url for file in page.files] == ["https://index.example/simple/foo/a.zip"]
    assert page.api_version == "1.0"
    assert read_project_list(HTML_LIST, content_type, URL).names == ("Foo",)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (HTML_PAGE, f"{V1}+json"),
        (JSON_PAGE, f"{V1}+html"),
        (JSON_PAGE, "text/html"),
        (b"", "text/html"),
        (b"", f"{V1}+json"),
        (b"", ""),
        (b"Service unavailable", "application/json"),
        (b"\x1f\x8b\x08", "application/octet-stream"),
    ],
)
def test_a_body_that_is_not_what_its_type_says_is_unreadable(body, content_type):
    with pytest.raises(UnreadablePage):
        read_project_page(body, content_type, URL, ProjectName("foo"))
    with pytest.raises(UnreadablePage):
        read_project_list(body, content_type, URL)
