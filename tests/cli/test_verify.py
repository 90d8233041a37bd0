"""``cheesebox verify``."""

from __future__ import annotations

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cache.verification import Finding, Inspector, in_order
from cheesebox.cli import verify
from cheesebox.cli.main import main
from cheesebox.cli.verification import batches
from cheesebox.cli.verify_log import NAME, Begun, Found, Reached, VerifyLog
from cheesebox.ports import Entry, Key, Kind
from tests.fakes.cheesebox_process import CheeseboxProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.pypi import FakeFile, FakePyPI


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


@pytest.fixture
def stored(pypi: FakePyPI, tmp_path: Path) -> tuple[Path, FakeFile]:
    """Fill a cache with a page and two wheels; gives its directory and one of the wheels."""
    demo, other = pypi.add_wheel("demo", "1.0"), pypi.add_wheel("other", "1.0")
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cache") as box:
        fetch(f"{box.url}demo/")
        for file in (demo, other):
            assert fetch(f"{box.mount_url}{file.path}") == file.content
    return tmp_path / "cache", demo


def alter(cache: Path, file: FakeFile) -> Path:
    path = cache / "pypi" / file.path.lstrip("/")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


def test_a_sound_cache_is_found_sound(
    stored: tuple[Path, FakeFile], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--cache-dir", str(stored[0])]) == 0
    assert capsys.readouterr().out == "3 objects verified, 0 damaged\n"


def test_an_altered_file_of_the_same_size_is_found(
    stored: tuple[Path, FakeFile], capsys: pytest.CaptureFixture[str]
) -> None:
    path = alter(*stored)
    assert main(["verify", "--cache-dir", str(stored[0])]) == 1
    assert f"{stored[1].filename}: its digest is not blake2b-256:" in capsys.readouterr().out
    assert path.exists()


def test_repair_removes_what_is_damaged_and_the_server_fetches_it_again(
    stored: tuple[Path, FakeFile], pypi: FakePyPI
) -> None:
    cache, file = stored
    path = alter(cache, file)
    assert main(["verify", "--repair", "--cache-dir", str(cache)]) == 0
    assert not path.exists()
    pypi.clear()
    with CheeseboxProcess(pypi.simple_url, cache) as box:
        assert fetch(f"{box.mount_url}{file.path}") == file.content
    assert pypi.count(file.path) == 1


def test_a_truncated_and_a_missing_file_are_named(
    stored: tuple[Path, FakeFile], capsys: pytest.CaptureFixture[str]
) -> None:
    cache, file = stored
    (cache / "pypi" / file.path.lstrip("/")).write_bytes(b"short")
    (cache / "pypi" / "simple" / "demo.page").unlink()
    assert main(["verify", "--cache-dir", str(cache)]) == 1
    out = capsys.readouterr().out
    assert "5 bytes on disk" in out
    assert "pypi/simple/demo.page: gone from disk" in out


def test_a_directory_without_a_catalogue_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--cache-dir", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def written(cache: Path, *lines: Begun | Reached | Found) -> None:
    log = VerifyLog(cache)
    for line in lines:
        log.add(line)
    log.close()


def keys_of(cache: Path) -> list[str]:
    folder = cache / "pypi"
    return sorted(str(path.relative_to(cache)) for path in folder.rglob("*") if path.is_file())


def test_a_verification_that_was_stopped_says_how_to_go_on_and_does(
    stored: tuple[Path, FakeFile], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object, finding: Finding) -> None:
        raise KeyboardInterrupt(finding.key)

    cache, file = stored
    alter(cache, file)
    with monkeypatch.context() as patch:
        patch.setattr(verify.Damages, "take", interrupted)
        assert main(["verify", "--repair", "--cache-dir", str(cache)]) == 130
    assert f"go on with: cheesebox verify --resume --repair --cache-dir {cache}\n" in capsys.readouterr().err
    assert main(["verify", "--resume", "--cache-dir", str(cache)]) == 1
    found = capsys.readouterr()
    assert found.out.endswith("3 objects verified, 1 damaged\n")
    assert "going on with what was begun" in found.err
    assert not (cache / NAME).exists()


def test_what_was_verified_before_a_kill_is_not_hashed_again(
    stored: tuple[Path, FakeFile], capsys: pytest.CaptureFixture[str]
) -> None:
    cache, _ = stored
    keys = keys_of(cache)
    for key in (keys[0], keys[2]):
        (cache / key).write_bytes(b"short")
    written(cache, Begun(1.0), Reached(keys[1], 2, 20))
    with (cache / NAME).open("ab") as log:
        log.write(b'{"type": "reach')
    assert main(["verify", "--resume", "--json", "--cache-dir", str(cache)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["objects"], [damage["key"] for damage in found["damaged"]]) == (3, [keys[2]])


def test_damage_that_was_found_before_a_kill_is_looked_at_again(
    stored: tuple[Path, FakeFile], capsys: pytest.CaptureFixture[str]
) -> None:
    cache, _ = stored
    keys = keys_of(cache)
    (cache / keys[0]).write_bytes(b"short")
    written(cache, Begun(1.0), Found(keys[0]), Found(keys[0]), Found(keys[1]), Reached(keys[1], 2, 20))
    assert main(["verify", "--resume", "--repair", "--json", "--cache-dir", str(cache)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert ([damage["key"] for damage in found["damaged"]], found["removed"]) == ([keys[0]], 1)


def test_without_resume_all_is_verified_anew(
    stored: tuple[Path, FakeFile], capsys: pytest.CaptureFixture[str]
) -> None:
    cache, file = stored
    alter(cache, file)
    written(cache, Begun(1.0), Reached(keys_of(cache)[-1], 3, 30))
    assert main(["verify", "--cache-dir", str(cache)]) == 1
    assert capsys.readouterr().out.endswith("3 objects verified, 1 damaged\n")


def test_a_cache_is_verified_by_one_at_a_time(
    stored: tuple[Path, FakeFile], capsys: pytest.CaptureFixture[str]
) -> None:
    log = VerifyLog(stored[0])
    assert main(["verify", "--cache-dir", str(stored[0])]) == 2
    log.close()
    assert "it is being verified already" in capsys.readouterr().err


def test_a_repair_goes_through_the_running_server(
    stored: tuple[Path, FakeFile], pypi: FakePyPI, capsys: pytest.CaptureFixture[str]
) -> None:
    cache, file = stored
    with CheeseboxProcess(pypi.simple_url, cache) as box:
        url = f"{box.mount_url}{file.path}"
        assert [fetch(url), fetch(url)] == [file.content] * 2  # held ready from now on
        pypi.clear()
        alter(cache, file)
        assert main(["verify", "--repair", "--cache-dir", str(cache)]) == 0
        assert "1 damaged, removed" in capsys.readouterr().out
        assert fetch(url) == file.content
        assert pypi.count(file.path) == 1


AN_ENTRY = Entry(Key("pypi/packages/a"), Kind.FILE, 5, "sha256:00", "https://index.example/a")


class EmptyStore:
    def open(self, _: Key) -> None:
        return None


@pytest.mark.parametrize("now", [None, replace(AN_ENTRY, fetched_at=1.0)])
def test_what_was_evicted_or_replaced_meanwhile_is_not_called_damaged(now: Entry | None) -> None:
    stands = iter([now, None])
    inspector = Inspector(EmptyStore(), lambda _: next(stands), lambda _: None)  # type: ignore[arg-type]
    assert inspector.inspect(AN_ENTRY) is None


@given(st.integers(0, 60), st.integers(1, 8), st.integers(1, 4))
def test_results_come_in_order_with_few_under_way(count: int, ahead: int, threads: int) -> None:
    entries = [replace(AN_ENTRY, key=Key(str(position))) for position in range(count)]
    taken = 0

    def counted():
        nonlocal taken
        for entry in entries:
            taken += 1
            yield entry

    with ThreadPoolExecutor(threads) as executor:
        for done, checked in enumerate(in_order(executor, lambda e: Finding(e.key, ""), counted(), ahead)):
            assert checked == type(checked)(entries[done], Finding(entries[done].key, ""))
            assert taken - done <= ahead + 1
    assert taken == count


@given(st.lists(st.text(min_size=1, max_size=3000), max_size=40))
def test_keys_are_sent_in_requests_that_are_small_enough(keys: list[str]) -> None:
    found = list(batches(keys))
    assert [key for batch in found for key in batch] == keys
    assert all(len(json.dumps(batch)) < 64 * 1024 for batch in found)
