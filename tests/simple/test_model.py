from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from cheesebox.simple.model import DistributionFile, ProjectList, ProjectPage
from cheesebox.simple.names import ProjectName
from tests.simple.strategies import JSON

HEX = "0f" * 32


def a_file(**raw):
    named = {key.replace("_", "-"): value for key, value in raw.items()}
    return DistributionFile({"filename": "foo-1.0.tar.gz", "url": "u", **named}, "https://files.example/u")


def a_page(**document):
    return ProjectPage(ProjectName("foo"), {k.replace("_", "-"): v for k, v in document.items()}, (a_file(),))


def test_a_file_tells_what_upstream_said():
    file = a_file(
        hashes={"SHA256": HEX.upper(), "md5": "00"},
        size=12,
        upload_time="2024-01-02T03:04:05.123456Z",
        requires_python=">=3.9",
        provenance="https://index.example/p",
    )
    assert file.filename == "foo-1.0.tar.gz"
    assert file.hashes == {"sha256": HEX.upper(), "md5": "00"}
    assert file.sha256 == HEX
    assert file.size == 12
    assert file.upload_time == datetime(2024, 1, 2, 3, 4, 5, 123456, UTC)
    assert file.requires_python == ">=3.9"
    assert file.provenance == "https://index.example/p"
    assert file.version == Version("1.0")


@pytest.mark.parametrize(
    "stated",
    ["2024-01-02T03:04:05Z", "2024-01-02T03:04:05", "2024-01-02T05:04:05+02:00", "2024-01-02T03:04:05.0Z"],
)
def test_an_upload_time_needs_no_fraction_and_comes_in_utc(stated):
    time = a_file(upload_time=stated).upload_time
    assert time == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert time.tzinfo is UTC


@pytest.mark.parametrize("stated", [None, 5, "", "yesterday", "0001-01-01T00:00:00+23:00"])
def test_an_upload_time_that_makes_no_sense_is_absent(stated):
    assert a_file(upload_time=stated).upload_time is None


@pytest.mark.parametrize(
    ("stated", "yanked"),
    [(True, True), (False, False), (None, False), (1, False), ("broken", "broken"), ("", True)],
)
def test_a_yanked_file_keeps_its_mark(stated, yanked):
    assert a_file(yanked=stated).yanked == yanked
    assert a_file().yanked is False


@pytest.mark.parametrize(
    ("raw", "metadata"),
    [
        ({}, False),
        ({"core_metadata": None}, False),
        ({"core_metadata": True}, True),
        ({"core_metadata": {}}, True),
        ({"core_metadata": {"SHA256": HEX, "odd": 1}}, {"sha256": HEX}),
        ({"data_dist_info_metadata": {"sha256": HEX}}, {"sha256": HEX}),
        ({"dist_info_metadata": True}, True),
        ({"core_metadata": False, "dist_info_metadata": True}, False),
        ({"core_metadata": "odd", "data_dist_info_metadata": True}, True),
    ],
)
def test_core_metadata_comes_from_the_newest_key_that_makes_sense(raw, metadata):
    assert a_file(**raw).core_metadata == metadata


@pytest.mark.parametrize("digest", ["", "0f", HEX + "\n", "zz" * 32, 7])
def test_what_is_no_digest_is_absent(digest):
    assert a_file(hashes={"sha256": digest}).sha256 is None


KEYS = [
    "hashes",
    "size",
    "upload-time",
    "yanked",
    "requires-python",
    "core-metadata",
    "data-dist-info-metadata",
    "dist-info-metadata",
    "provenance",
]


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_no_optional_value_makes_a_property_fail(optional):
    file = a_file(**optional)
    assert file.size is None or file.size >= 0
    assert all(isinstance(digest, str) for digest in file.hashes.values())
    assert isinstance(file.upload_time, datetime | None)
    assert isinstance(file.yanked, bool | str)
    assert isinstance(file.core_metadata, bool | dict)
    assert isinstance(file.requires_python, str | None)
    assert isinstance(file.provenance, str | None)
    assert file.sha256 is None or len(file.sha256) == 64


@given(JSON, JSON, JSON)
def test_no_page_makes_a_property_fail(meta, status, versions):
    page = a_page(meta=meta, project_status=status, versions=versions)
    assert isinstance(page.api_version, str)
    assert page.status
    assert isinstance(page.status_reason, str | None)
    assert all(isinstance(version, str) for version in page.versions)


def test_a_page_that_says_nothing_is_of_an_active_project_and_speaks_the_first_version():
    page = a_page()
    assert (page.status, page.status_reason, page.api_version, page.versions) == ("active", None, "1.0", ())


@pytest.mark.parametrize("holder", [lambda marker: marker, lambda marker: {"meta": marker}])
def test_the_status_is_found_at_the_top_and_in_the_meta_object(holder):
    page = a_page(**holder({"project-status": {"status": "quarantined", "reason": "malware"}}))
    assert (page.status, page.status_reason) == ("quarantined", "malware")


def test_a_page_lists_its_versions():
    assert a_page(versions=["1.0", "odd"]).versions == ("1.0", "odd")


def test_a_page_with_other_files_is_else_the_same():
    page = a_page(meta={"api-version": "1.4"}, x_unknown=1)
    fewer = page.with_files(iter(()))
    assert fewer.files == ()
    assert (fewer.name, fewer.document) == (page.name, page.document)
    assert len(page.files) == 1


@pytest.mark.parametrize("stated", [None, 1.4, "", "new", "1.4.2.", "9" * 5000])
def test_what_is_no_version_is_the_first_one(stated):
    assert a_page(meta={"api-version": stated}).api_version == "1.0"
    assert ProjectList({"meta": {"api-version": stated}}, (), b"[]").api_version == "1.0"
