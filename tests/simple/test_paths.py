from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.errors import InvalidPath
from cheesebox.simple.paths import FilePath, blake2_of, filename_of, parse_file_path, quote_path, wheel_of
from tests.simple.strategies import file_paths

DIGEST = "ab" * 32
HASHED = f"packages/ab/ab/{'ab' * 30}/foo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("packages/a.whl", "packages/a.whl"),
        ("/packages//aa///a.whl", "packages/aa/a.whl"),
        ("packages/torch-1.0+cpu.whl", "packages/torch-1.0+cpu.whl"),
        ("packages/torch-1.0%2Bcpu.whl", "packages/torch-1.0+cpu.whl"),
        ("packages/torch-1.0%2bcpu.whl", "packages/torch-1.0+cpu.whl"),
        ("packages/1%211.0.zip", "packages/1!1.0.zip"),
        ("files/h%3A80/a%20b%C3%A9.zip", "files/h:80/a bé.zip"),
        ("packages/%252e%252e", "packages/%2e%2e"),
        ("packages/...", "packages/..."),
        ("a", "a"),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_path_is_decoded_once(raw, path):
    assert parse_file_path(raw) == path


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "/",
        "packages/",
        "../a",
        "a/../b",
        "a/./b",
        "a/%2e%2e/b",
        "a/.%2E/b",
        "a/%2e/b",
        "a/..",
        "a%00b",
        "a%0Ab",
        "a\nb",
        "a%7fb",
        "a%C2%85b",
        "a\\b",
        "a%5Cb",
        "a%2Fb",
        "a%2fb",
        "..%2fb",
        "%ff",
        "%C3",
        "a%",
        "a%2",
        "a%zz",
        "é",
        "x" * 256,
        "%C3%A9" * 128,
        "/".join(["x" * 200] * 6),
    ],
)
def test_what_cannot_name_a_file_is_refused(raw):
    with pytest.raises(InvalidPath):
        parse_file_path(raw)


@given(file_paths())
def test_parsing_undoes_quoting(path):
    assert parse_file_path(quote_path(path)) == path


@given(st.text(max_size=40) | st.from_regex(r"(%[0-9a-fA-F]{2}|[a./\\%+]){1,20}", fullmatch=True))
def test_a_parsed_path_never_climbs_and_is_canonical(raw):
    try:
        path = parse_file_path(raw)
    except InvalidPath:
        return
    assert not {"", ".", ".."} & set(path.split("/"))
    assert not re.search(r"[\x00-\x1f\x7f\\]", path)
    assert parse_file_path(quote_path(path)) == path


def test_the_path_of_a_file_promises_its_digest():
    assert blake2_of(FilePath(HASHED)) == DIGEST


@pytest.mark.parametrize(
    "path",
    [
        HASHED + ".metadata",
        HASHED + ".asc",
        HASHED + "/more",
        HASHED.upper(),
        f"x/{HASHED}",
        f"packages/ab/ab/{'ab' * 29}/foo.whl",
        "packages/source/f/foo/foo-1.0.zip",
    ],
)
def test_other_paths_promise_no_digest(path):
    assert blake2_of(FilePath(path)) is None


def test_a_metadata_path_names_its_wheel():
    assert wheel_of(FilePath(HASHED + ".metadata")) == HASHED


@pytest.mark.parametrize("path", [HASHED, "packages/.metadata", ".metadata"])
def test_other_paths_name_no_wheel(path):
    assert wheel_of(FilePath(path)) is None


def test_the_file_name_is_the_last_segment():
    assert filename_of(FilePath(HASHED)) == "foo-1.0-py3-none-any.whl"
    assert filename_of(FilePath("alone")) == "alone"
