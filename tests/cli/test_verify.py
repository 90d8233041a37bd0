"""``cheesebox verify``."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest

from cheesebox.cli.main import main
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
