"""The directory: claimed by one, swept at start, changed only by whole files."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from cheesebox.adapters.disk_store import DiskStore
from cheesebox.errors import SettingsError, StoreError, StoreFull
from cheesebox.ports import Key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = Key("pypi/packages/aa/bb/name.whl")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    made = DiskStore(tmp_path / "cache")
    made.prepare()
    yield made
    made.close()


def put(store: DiskStore, key: Key, *chunks: bytes) -> None:
    part = store.begin(key)
    part.append(chunks)
    store.admit(part, key)
    part.close()


def read(store: DiskStore, key: Key) -> bytes | None:
    blob = store.open(key)
    if blob is None:
        return None
    try:
        return blob.read(0, blob.size)
    finally:
        blob.close()


# ── the directory


def test_a_new_directory_is_made_and_marked(store: DiskStore) -> None:
    assert (store.root / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_a_mounted_file_system_is_taken_although_it_has_lost_and_found(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    store = DiskStore(tmp_path)
    store.prepare()
    store.close()


def test_a_foreign_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not touch")
    with pytest.raises(
        SettingsError, match="not empty and no cheesebox cache; name an empty or new directory"
    ):
        DiskStore(tmp_path).prepare()
    assert (tmp_path / "thesis.txt").read_text() == "do not touch"


def test_the_cache_of_another_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "CACHEDIR.TAG").write_text(
        "Signature: 8a477f597d28d172789f06886806bc55\n# of something else\n"
    )
    with pytest.raises(SettingsError, match="the cache of another program"):
        DiskStore(tmp_path).prepare()


def test_a_directory_in_use_is_refused_until_it_is_given_free(store: DiskStore) -> None:
    other = DiskStore(store.root)
    with pytest.raises(SettingsError, match="in use by another cheesebox"):
        other.prepare()
    other.close()
    store.close()
    other = DiskStore(store.root)
    other.prepare()
    other.close()


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(SettingsError, match=r"name a directory that this user may write \(--cache-dir DIR\)"):
        DiskStore(tmp_path / "cache").prepare()


def test_a_directory_that_may_not_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(SettingsError, match="Permission denied; name a directory that this user may write"):
        DiskStore(tmp_path / "cache").prepare()


def test_leftover_parts_are_swept_at_start(store: DiskStore) -> None:
    part = store.begin(KEY)
    part.append([b"half"])
    part.close()
    store.close()
    again = DiskStore(store.root)
    again.prepare()
    assert list((store.root / ".parts").iterdir()) == []
    again.close()


# ── objects


def test_a_part_is_not_seen_before_it_is_admitted(store: DiskStore) -> None:
    part = store.begin(KEY)
    part.append([b"ab", b"cd"])
    assert read(store, KEY) is None
    store.admit(part, KEY)
    assert read(store, KEY) == b"abcd"
    part.discard()
    assert read(store, KEY) == b"abcd"
    part.close()
    part.close()


def test_a_discarded_part_can_still_be_read_by_who_holds_it(store: DiskStore) -> None:
    part = store.begin(KEY)
    part.append([b"abcd"])
    part.discard()
    part.discard()
    assert part.read(1, 2) == b"bc"
    assert list((store.root / ".parts").iterdir()) == []
    part.truncate()
    assert part.size == part.measure() == 0
    part.close()
    with pytest.raises(StoreError):
        part.read(0, 1)


def test_many_small_chunks_are_written_in_their_order(store: DiskStore) -> None:
    chunks = [bytes([number % 251]) * (number % 3) for number in range(5000)]
    put(store, KEY, *chunks)
    assert read(store, KEY) == b"".join(chunks)


def test_a_short_write_is_completed(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwritev", lambda fd, chunks, offset: os.pwrite(fd, b"".join(chunks)[:3], offset))
    put(store, KEY, b"abc", b"defg", b"hi")
    assert read(store, KEY) == b"abcdefghi"


def test_a_full_disk_has_its_own_error_and_leaves_the_size(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = store.begin(KEY)
    part.append([b"abc"])

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwritev", full)
    with pytest.raises(StoreFull, match="No space left on device"):
        part.append([b"def"])
    assert part.size == 3
    part.close()


def test_an_open_object_outlives_its_removal(store: DiskStore) -> None:
    put(store, KEY, b"abcd")
    blob = store.open(KEY)
    assert blob is not None
    store.remove(KEY)
    store.remove(KEY)
    assert store.open(KEY) is None
    assert blob.read(0, 10) == b"abcd"
    blob.close()
    blob.close()


def test_removing_takes_empty_folders_along_and_no_others(store: DiskStore) -> None:
    put(store, KEY, b"a")
    put(store, Key("pypi/packages/cc/other.whl"), b"b")
    store.remove(KEY)
    assert not (store.root / "pypi/packages/aa").exists()
    assert list(store.walk()) == ["pypi/packages/cc/other.whl"]


def test_walking_gives_every_object_and_nothing_else(store: DiskStore) -> None:
    keys = {Key("pypi/simple/a.page"), Key("pypi/packages/aa/b.whl"), Key("other/files/c.whl")}
    for key in keys:
        put(store, key, b"x")
    (store.root / "catalogue.sqlite").write_text("")
    assert set(store.walk()) == keys


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "below a file"])
def test_what_is_no_file_is_not_opened(store: DiskStore, kind: str) -> None:
    path = store.path_of(KEY)
    path.parent.mkdir(parents=True)
    key = KEY
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("/etc/hostname")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text("")
        key = Key(f"{KEY}/below")
    assert store.open(key) is None


def test_an_object_below_a_file_cannot_be_stored(store: DiskStore) -> None:
    put(store, KEY, b"a")
    part = store.begin(Key(f"{KEY}/below"))
    with pytest.raises(StoreError):
        store.admit(part, Key(f"{KEY}/below"))
    part.discard()
    part.close()


def test_a_lack_of_handles_is_no_missing_file(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, KEY, b"a")

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreError):
        store.open(KEY)


def test_free_space_is_that_of_the_file_system(store: DiskStore) -> None:
    state = os.statvfs(store.root)
    assert 0 <= store.free_space() <= state.f_blocks * state.f_frsize


def test_the_loss_of_the_directory_is_a_store_error(store: DiskStore, tmp_path: Path) -> None:
    store.root.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        store.begin(KEY)
    with pytest.raises(StoreError):
        store.free_space()
