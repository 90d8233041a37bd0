"""The metadata is found in any wheel that `zipfile` can write; any other bytes are refused in our words."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.simple.wheel_archive import TAIL, Span, UnreadableWheel, find_metadata, read_metadata

WHEEL = "Some.Project-1.0-py3-none-any.whl"
NAME = "some_project-1.0.dist-info/METADATA"
METADATA = b"Metadata-Version: 2.1\nName: Some.Project\nVersion: 1.0\n"
METHODS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])


def read(archive: bytes, filename: str = WHEEL, tail: int = TAIL) -> tuple[bytes, list[Span]]:
    """Answer the finder's questions from the whole archive; give what it found and what it asked."""
    asked: list[Span] = []
    finder = find_metadata(filename, len(archive), archive[-tail:] if tail else b"")
    try:
        span = next(finder)
        while True:
            assert 0 <= span.start < span.stop <= len(archive)
            asked.append(span)
            span = finder.send(archive[span.start : span.stop])
    except StopIteration as found:
        return found.value, asked


def wheel(
    members: dict[str, bytes] | None = None,
    method: int = zipfile.ZIP_DEFLATED,
    comment: bytes = b"",
    *,
    zip64: bool = False,
) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as archive:
        for name, content in (members or {"some_project/__init__.py": b"", NAME: METADATA}).items():
            with archive.open(name, "w", force_zip64=zip64) as member:
                member.write(content)
        archive.comment = comment
    return body.getvalue()


def test_the_metadata_of_a_small_wheel_is_found_in_its_tail() -> None:
    assert read(wheel()) == (METADATA, [])


@given(
    content=st.binary(max_size=5000),
    others=st.dictionaries(st.text("abcPK\x01\x02/", min_size=1, max_size=30), st.binary(max_size=300)),
    method=METHODS,
    prefix=st.binary(max_size=100),
    comment=st.binary(max_size=100),
    zip64=st.booleans(),
    tail=st.integers(0, 6000),
)
def test_any_wheel_that_zipfile_writes_is_read_as_zipfile_reads_it(
    content, others, method, prefix, comment, zip64, tail
) -> None:
    archive = prefix + wheel({**others, NAME: content}, method, comment, zip64=zip64)
    try:
        expected = zipfile.ZipFile(io.BytesIO(archive)).read(NAME)
    except zipfile.BadZipFile:  # a comment that looks like the end of a directory
        return
    found, asked = read(archive, tail=tail)
    assert found == expected == content
    assert len(asked) <= 4


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_refused_in_the_words_of_the_domain(data, tail) -> None:
    with pytest.raises(UnreadableWheel):
        read(data, tail=tail)


@given(st.data())
def test_damage_anywhere_is_noticed_or_harmless(data) -> None:
    archive = bytearray(wheel(zip64=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(archive)))
    damaged = bytes(archive[cut:] if data.draw(st.booleans()) else archive)
    try:
        found, _ = read(damaged, tail=data.draw(st.integers(0, 400)))
    except UnreadableWheel:
        return
    assert found == METADATA


def test_a_wheel_with_many_files_costs_one_more_small_slice() -> None:
    files = {f"some_project/{number:05}.py": b"" for number in range(3000)}
    archive = wheel({**files, NAME: METADATA, NAME.replace("METADATA", "RECORD"): b"x" * 100})
    found, asked = read(archive)
    assert found == METADATA
    [span] = asked
    assert span.stop - span.start < 1000


def test_metadata_that_stands_first_is_found_by_the_whole_directory() -> None:
    files = {f"some_project/{number:05}.py": b"" for number in range(3000)}
    found, asked = read(wheel({NAME: METADATA, **files}))
    assert found == METADATA
    assert len(asked) == 2


def test_the_last_of_two_members_of_one_name_counts() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(NAME, b"old")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(NAME, b"new")
    assert read(body.getvalue())[0] == b"new"


@pytest.mark.parametrize(
    "folder",
    ["some_project-1.0", "Some.Project-1.0", "SOME-PROJECT-1.0", "some_project-1.0.post0"],
)
def test_the_folder_may_spell_the_project_as_it_likes(folder) -> None:
    assert read(wheel({f"{folder}.dist-info/METADATA": METADATA}))[0] == METADATA


def test_the_folder_of_the_very_version_wins() -> None:
    members = {"some_project-0.9.dist-info/METADATA": b"other", NAME: METADATA}
    assert read(wheel(members))[0] == METADATA


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("other-1.0.dist-info/METADATA",),
        ("vendored/some_project-1.0.dist-info/METADATA",),
        ("some_project-1.0.dist-info/deep/METADATA",),
        ("some_project-1.0.egg-info/METADATA",),
        ("some_project-0.8.dist-info/METADATA", "some_project-0.9.dist-info/METADATA"),
    ],
)
def test_metadata_elsewhere_is_none(names) -> None:
    with pytest.raises(UnreadableWheel, match="METADATA"):
        read(wheel({"a.py": b"", **dict.fromkeys(names, METADATA)}))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(method) -> None:
    with pytest.raises(UnreadableWheel, match="unusual"):
        read(wheel(method=method))


def test_metadata_that_grows_beyond_what_may_be_is_refused() -> None:
    bomb = wheel({NAME: bytes(9 * 1024 * 1024)})
    with pytest.raises(UnreadableWheel, match="larger than may be"):
        read(bomb)


def test_more_bytes_than_promised_are_not_unpacked() -> None:
    archive = wheel({NAME: bytes(100_000)})
    smaller = archive.replace(struct.pack("<L", 100_000), struct.pack("<L", 10))
    assert smaller != archive
    with pytest.raises(UnreadableWheel, match="damaged"):
        read(smaller)


def test_a_wrong_checksum_is_noticed() -> None:
    archive = wheel(method=zipfile.ZIP_STORED)
    assert zlib.crc32(METADATA)
    with pytest.raises(UnreadableWheel, match="CRC-32"):
        read(archive.replace(METADATA, METADATA[::-1]))


def test_a_long_comment_costs_one_more_slice() -> None:
    found, asked = read(wheel(comment=b"c" * 60_000))
    assert found == METADATA
    assert len(asked) == 1


def test_a_wheel_at_hand_is_read_in_slices() -> None:
    archive = wheel({"some_project/data": bytes(range(256)) * 4096, NAME: METADATA}, zipfile.ZIP_STORED)
    read_bytes = 0

    def slices(start: int, stop: int) -> bytes:
        nonlocal read_bytes
        read_bytes += stop - start
        return archive[start:stop]

    assert read_metadata(WHEEL, len(archive), slices) == METADATA
    assert read_bytes <= TAIL
