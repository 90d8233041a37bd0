from __future__ import annotations

import json
import re

import pytest
from hypothesis import given

from cheesebox.simple.links import FileBase, relative_links
from cheesebox.simple.model import ProjectList
from cheesebox.simple.names import ProjectName
from cheesebox.simple.read_html import read_html_list, read_html_page
from cheesebox.simple.read_json import read_json_page
from cheesebox.simple.write_html import write_list_html, write_project_html
from cheesebox.simple.write_json import write_project_json
from tests.simple.strategies import documents, standard_files

URL = "https://here.example/pypi/simple/foo/"
LINK = relative_links(FileBase("https://files.example/packages/"))
HEX = "0f" * 32


def read(document):
    return read_json_page(json.dumps(document).encode(), URL, ProjectName("foo"))


def written(*files, **more):
    entries = [{"filename": "a.zip", "url": "https://files.example/packages/a.zip", **file} for file in files]
    return write_project_html(read({"files": entries, **more}), LINK).decode()


def what_html_can_carry(file):
    return {
        "filename": file.filename,
        "url": file.url,
        "sha256": file.sha256,
        "requires": file.requires_python,
        "yanked": file.yanked,
        "metadata": file.core_metadata,
        "provenance": file.provenance,
        "size": file.size,
        "time": file.upload_time,
        "signed": file.raw.get("gpg-sig"),
    }


@given(documents(standard_files()))
def test_both_representations_say_the_same(document):
    page = read(document)
    from_json = read_json_page(write_project_json(page, LINK), URL, page.name)
    from_html = read_html_page(write_project_html(page, LINK), "text/html", URL, page.name)
    assert [*map(what_html_can_carry, from_html.files)] == [*map(what_html_can_carry, from_json.files)]
    assert (from_html.status, from_html.status_reason) == (from_json.status, from_json.status_reason)


def test_a_page_has_the_shape_that_clients_know():
    body = written(
        {
            "hashes": {"sha256": HEX},
            "requires-python": ">=3.7,<4",
            "yanked": 'a "bad" one',
            "core-metadata": {"sha256": HEX},
            "provenance": "https://p.example/?a=1&b=2",
            "size": 3,
            "upload-time": "2024-01-02T03:04:05Z",
            "gpg-sig": True,
        },
        meta={"api-version": "1.3"},
    )
    assert body == (
        '<!DOCTYPE html>\n<html lang="en">\n  <head>\n    <meta charset="utf-8">\n'
        '    <meta name="pypi:repository-version" content="1.3">\n'
        '    <meta name="pypi:project-status" content="active">\n'
        "    <title>Links for foo</title>\n  </head>\n  <body>\n    <h1>Links for foo</h1>\n"
        f'    <a href="../../packages/a.zip#sha256={HEX}" data-requires-python="&gt;=3.7,&lt;4"'
        ' data-yanked="a &quot;bad&quot; one"'
        f' data-dist-info-metadata="sha256={HEX}" data-core-metadata="sha256={HEX}" data-gpg-sig="true"'
        ' data-size="3" data-upload-time="2024-01-02T03:04:05Z"'
        ' data-provenance="https://p.example/?a=1&amp;b=2">a.zip</a><br />\n'
        "  </body>\n</html>\n"
    )


@pytest.mark.parametrize("optional", [{}, {"requires-python": None, "yanked": False, "core-metadata": False}])
def test_an_attribute_is_there_only_when_it_applies(optional):
    assert '<a href="../../packages/a.zip">a.zip</a>' in written(optional)


@pytest.mark.parametrize(
    ("stated", "shown"),
    [("1.0", "1.0"), ("1.1", "1.1"), ("1.4", "1.4"), ("1.5", "1.4"), ("1.10", "1.4"), ("1", "1.0")],
)
def test_html_stays_at_the_version_where_it_was_frozen(stated, shown):
    assert f'name="pypi:repository-version" content="{shown}"' in written(meta={"api-version": stated})


@pytest.mark.parametrize(
    ("hashes", "fragment"),
    [
        ({"md5": "00", "sha256": HEX}, f"#sha256={HEX}"),
        ({"sha1": "00", "md5": "aa"}, "#md5=aa"),
        ({"sha1": "00", "sha224": "00"}, ""),
        ({"sha256": 'x">'}, ""),
        ({}, ""),
    ],
)
def test_the_fragment_has_only_digests_that_clients_accept(hashes, fragment):
    assert f'href="../../packages/a.zip{fragment}"' in written({"hashes": hashes})


@pytest.mark.parametrize(
    ("metadata", "shown"),
    [(True, "true"), ({}, "true"), ({"sha1": "00"}, "true"), ({"sha512": "ab"}, "sha512=ab")],
)
def test_both_metadata_attributes_match(metadata, shown):
    body = written({"core-metadata": metadata})
    assert f'data-dist-info-metadata="{shown}" data-core-metadata="{shown}"' in body


@pytest.mark.parametrize(
    "reason", ['"><script>', "</script>", "a\nb", "a\r\nb", "'&gt;", "\x00", "é😀", "&amp;gt;"]
)
def test_a_hostile_value_cannot_leave_its_attribute(reason):
    body = written(
        {"yanked": reason, "filename": reason},
        **{"project-status": {"status": reason, "reason": reason}},
    )
    assert body.count("<a ") == 1
    assert "<script" not in body
    assert len(re.findall(r"\n    <", body)) == body.count("\n    ")
    page = read_html_page(body.encode(), "text/html", URL, ProjectName("foo"))
    assert (page.files[0].yanked, page.status, page.status_reason) == (reason, reason, reason)


def test_provenance_is_rewritten_only_on_demand():
    page = read({"files": [{"filename": "a", "url": "a", "provenance": "https://p.example/"}]})
    assert b'data-provenance="https://p.example/"' in write_project_html(page, LINK)
    assert b'data-provenance="ours&lt;"' in write_project_html(page, LINK, provenance=lambda _: "ours<")


def a_list(*names, **document):
    return ProjectList(document, names, b"[]")


def test_the_list_links_relative_to_itself():
    body = b"".join(write_list_html(a_list("Foo.Bar", "b", meta={"api-version": "1.5"}))).decode()
    assert '<a href="foo-bar/">Foo.Bar</a><br />\n    <a href="b/">b</a><br />\n' in body
    assert 'name="pypi:repository-version" content="1.4"' in body
    assert "project-status" not in body


def test_a_hostile_name_cannot_leave_its_link():
    body = b"".join(write_list_html(a_list('"><script>', "../..", "a/b", "é"))).decode()
    assert '<a href="%22%3E%3Cscript%3E/">&quot;&gt;&lt;script&gt;</a>' in body
    assert 'href="-%2F-/"' in body
    assert 'href="a%2Fb/"' in body
    assert 'href="%C3%A9/"' in body


def test_a_long_list_comes_in_pieces_and_whole():
    names = tuple(f"project-{number}" for number in range(20_000))
    pieces = list(write_list_html(a_list(*names)))
    assert max(map(len, pieces)) < 1_000_000
    assert read_html_list(b"".join(pieces), "text/html", URL).names == names
