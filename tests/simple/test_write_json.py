from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.simple.links import FileBase, relative_links
from cheesebox.simple.names import ProjectName
from cheesebox.simple.read_json import read_json_list, read_json_page
from cheesebox.simple.write_json import write_list_json, write_project_json
from tests.simple.strategies import HEX, JSON, TEXT, documents, standard_files

URL = "https://index.example/simple/foo/"
LINK = relative_links(FileBase("https://files.example/packages/"))


def read(document):
    return read_json_page(json.dumps(document).encode(), URL, ProjectName("foo"))


def written(document, **options):
    return json.loads(write_project_json(read(document), LINK, **options))


def written_file(**more):
    return written({"files": [{"filename": "a.zip", "url": "https://files.example/packages/a.zip", **more}]})[
        "files"
    ][0]


UNKNOWN = st.dictionaries(TEXT.map("x-{}".format), JSON, max_size=3)
WHOLE_FILES = st.tuples(UNKNOWN, standard_files(), UNKNOWN).map(lambda parts: parts[0] | parts[1] | parts[2])


@given(documents(WHOLE_FILES))
def test_writing_what_was_read_changes_nothing_but_urls_and_forbidden_nulls(document):
    result = written(document)
    for entry in document["files"]:
        entry["url"] = entry["url"].replace("https://files.example/", "../../")
        for key in ("size", "upload-time", "yanked"):
            if entry.get(key, ...) is None:
                del entry[key]
    assert result == document
    assert list(result) == list(document)
    assert [list(entry) for entry in result["files"]] == [list(entry) for entry in document["files"]]


def test_the_body_is_compact_utf_8_with_a_newline():
    page = read({"meta": {"api-version": "1.4"}, "files": [], "x": "é"})
    assert write_project_json(page, LINK) == '{"meta":{"api-version":"1.4"},"files":[],"x":"é"}\n'.encode()


def test_a_file_url_loses_its_fragment():
    assert (
        written_file(url="https://files.example/packages/b%2Bc.zip#sha256=00")["url"]
        == "../../packages/b%2Bc.zip"
    )


@pytest.mark.parametrize("key", ["size", "upload-time", "yanked"])
def test_null_is_left_out_where_strict_clients_refuse_it(key):
    assert key not in written_file(**{key: None})


@pytest.mark.parametrize("key", ["requires-python", "core-metadata", "provenance", "data-dist-info-metadata"])
def test_null_stays_where_the_standard_allows_it(key):
    assert written_file(**{key: None})[key] is None


@pytest.mark.parametrize("hashes", [{}, {"hashes": None}, {"hashes": "odd"}, {"hashes": {"md5": 5}}])
def test_hashes_are_always_there(hashes):
    assert written_file(**hashes)["hashes"] == {}


def test_names_of_hashes_are_in_lower_case():
    assert written_file(hashes={"SHA256": "00"})["hashes"] == {"sha256": "00"}


@pytest.mark.parametrize("others", [{}, {"core-metadata": None}, {"data-dist-info-metadata": None}])
def test_the_old_metadata_key_becomes_the_new_one_when_it_carries_the_value_alone(others):
    file = written_file(**others, **{"dist-info-metadata": {"sha256": "00"}})
    assert file["core-metadata"] == {"sha256": "00"}
    assert "dist-info-metadata" not in file


@pytest.mark.parametrize("key", ["core-metadata", "data-dist-info-metadata"])
def test_the_old_metadata_key_goes_when_another_carries_the_value(key):
    file = written_file(**{key: False, "dist-info-metadata": True})
    assert file[key] is False
    assert "dist-info-metadata" not in file


def test_provenance_is_rewritten_only_on_demand():
    document = {
        "files": [{"filename": "a", "url": "a", "provenance": p} for p in ("https://p.example/", None)]
    }
    assert [f["provenance"] for f in written(document)["files"]] == ["https://p.example/", None]
    ours = written(document, provenance=lambda url: f"ours:{url}")
    assert [f["provenance"] for f in ours["files"]] == ["ours:https://p.example/", None]


LISTED = st.fixed_dictionaries({"name": TEXT}, optional={"_last-serial": st.integers(0, 2**40), "x": JSON})


@given(st.lists(LISTED), UNKNOWN, UNKNOWN)
def test_writing_the_list_that_was_read_changes_nothing(projects, before, after):
    document = {**before, "projects": projects, **after}
    result = json.loads(b"".join(write_list_json(read_json_list(json.dumps(document).encode()))))
    assert result == document
    assert list(result) == list(document)


def test_the_list_is_compact_with_a_newline():
    listing = read_json_list(b'{"meta": {"_last-serial": 1}, "projects": [ {"name": "a b"} ], "y": 2}')
    assert b"".join(write_list_json(listing)) == (
        b'{"meta":{"_last-serial":1},"projects":[{"name":"a b"}],"y":2}\n'
    )


@given(HEX)
def test_a_digest_is_never_touched(digest):
    assert written_file(hashes={"sha256": digest})["hashes"] == {"sha256": digest}
