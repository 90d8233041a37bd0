"""What an export's pages tell: laws."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.airgap import layout
from cheesebox.airgap.layout import Carried
from cheesebox.cache import envelope
from cheesebox.errors import BadExport
from cheesebox.simple.read_html import read_html_page
from cheesebox.simple.read_json import read_json_page
from tests.simple.strategies import documents, standard_files

HERE = "https://here.example/index/simple/foo/"
THERE = "https://there.example/simple/foo/"


def carried(name: str) -> Carried:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return Carried(len(name), digest, digest if len(name) % 2 else None)


@st.composite
def exported_pages(draw):
    """A page of an upstream, and of its files those that are carried."""
    document = draw(documents(standard_files()))
    unique = {file["filename"]: file for file in document["files"]}
    document["files"] = list(unique.values())
    page = read_json_page(msgspec.json.encode(document), THERE, "foo")
    names = draw(st.sets(st.sampled_from(sorted(unique)))) if unique else set()
    page = layout.carried_page(page, {name: carried(name) for name in names})
    return page.with_files(file for file in page.files if file.filename in layout.paths_of(page))


@given(page=exported_pages())
def test_the_import_reads_the_page_that_was_exported(page):
    found = envelope.unpack(layout.packed_page(page, THERE, 1.5))
    assert found is not None
    entry, body = found
    again = read_json_page(body, entry.location, "foo")
    assert (entry.origin, entry.fetched_at) == (THERE, 1.5)
    assert [(file.filename, file.url, file.upload_time) for file in again.files] == [
        (file.filename, file.url, file.upload_time) for file in page.files
    ]
    assert layout.paths_of(again) == layout.paths_of(page)
    for file in again.files:
        known = carried(file.filename)
        assert (file.size, file.sha256) == (known.size, known.sha256)
        assert file.core_metadata == ({"sha256": known.metadata_sha256} if known.metadata_sha256 else False)


@given(page=exported_pages())
def test_the_static_page_leads_to_the_files_of_the_export(page):
    static = read_html_page(layout.static_page(page), "text/html", HERE, "foo")
    assert [(file.filename, file.sha256, file.size) for file in static.files] == [
        (file.filename, file.sha256, file.size) for file in page.files
    ]
    assert all(file.url.startswith("https://here.example/index/packages/aa/") for file in static.files)
    assert [file.yanked for file in static.files] == [file.yanked for file in page.files]
    assert not any(file.provenance for file in static.files)


@given(page=exported_pages())
def test_a_page_united_with_itself_is_itself(page):
    assert layout.united(page, page) is page


@given(one=exported_pages(), other=exported_pages())
def test_a_united_page_has_the_files_of_both(one, other):
    united = {file.filename: file for file in layout.united(one, other).files}
    assert united.keys() == {file.filename for file in (*one.files, *other.files)}
    assert all(united[file.filename] is file for file in one.files)


def test_versions_are_those_that_have_files():
    files = [{"filename": f"foo-{version}.tar.gz", "url": f"{version}.tar.gz"} for version in ("1.0", "2.0")]
    body = msgspec.json.encode({"files": files, "versions": ["1", "2.0", "3.0"]})
    page = layout.carried_page(read_json_page(body, THERE, "foo"), {"foo-1.0.tar.gz": Carried(1, "0" * 64)})
    assert page.versions == ("1",)


def test_what_was_exported_here_can_be_imported():
    layout.check_marker(layout.marker("pypi"))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"format":"1"}'])
def test_what_is_no_marker_is_refused(body):
    with pytest.raises(BadExport):
        layout.check_marker(body)
