"""``cheesebox export``: what it writes."""

from __future__ import annotations

import hashlib
import http.client
import json
from typing import TYPE_CHECKING

import pytest

from cheesebox.cli.main import main
from cheesebox.simple.names import normalize
from cheesebox.simple.reading import read_project_list, read_project_page
from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.fakes.distributions import metadata_in

if TYPE_CHECKING:
    from pathlib import Path


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def page(folder: Path, project: str):
    path = folder / "simple" / project / "index.html"
    return read_project_page(
        path.read_bytes(), "text/html", path.as_uri().replace("file://", "http://h"), normalize(project)
    )


def test_an_export_is_an_index_of_the_files_that_are_in_it(stocked, cheesebox, tmp_path):
    out = tmp_path / "out"
    assert cheesebox("export", str(out)) == (0, f"{out}: 2 projects, 5 files, 3.2 KB\n", "")
    listed = read_project_list((out / "simple" / "index.html").read_bytes(), "text/html", "http://h/")
    assert listed.names == ("demo", "src")
    files = tree(out)
    for project in listed.names:
        for file in page(out, project).files:
            body = files.pop(file.url.removeprefix(f"http://h{out}/"))
            assert hashlib.sha256(body).hexdigest() == file.sha256
            assert file.size == len(body)
            if file.core_metadata:
                metadata = files.pop(file.url.removeprefix(f"http://h{out}/") + ".metadata")
                assert file.core_metadata == {"sha256": hashlib.sha256(metadata).hexdigest()}
    assert {name.rpartition("/")[2] for name in files} == {"index.html", "cheesebox.page", "cheesebox.json"}
    assert stocked.count("*uncached*") == 0


def test_metadata_that_was_read_out_of_a_wheel_is_carried(pypi, cheesebox, tmp_path):
    wheel = pypi.add_wheel("demo", "1.0", metadata=False)
    assert cheesebox("warm", "demo==1.0")[0] == 0
    assert cheesebox("export", str(tmp_path / "out"))[0] == 0
    metadata = metadata_in(wheel.content)
    assert (tmp_path / "out" / wheel.metadata_path.lstrip("/")).read_bytes() == metadata
    [file] = page(tmp_path / "out", "demo").files
    assert file.core_metadata == {"sha256": hashlib.sha256(metadata).hexdigest()}


def test_pages_tell_what_installers_need_and_nothing_that_the_export_lacks(stocked, cheesebox, tmp_path):
    assert stocked.serial
    cheesebox("export", str(tmp_path / "out"))
    text = (tmp_path / "out" / "simple" / "demo" / "index.html").read_text()
    assert 'href="../../packages/' in text
    assert 'data-requires-python="&gt;=3.8"' in text
    assert 'data-upload-time="2025-01-01T00:00:00Z"' in text
    assert "data-provenance" not in text
    assert "demo-3.0" not in text


def test_the_same_cache_gives_the_same_bytes(stocked, cheesebox, tmp_path):
    assert stocked.serial
    for name in ("one", "two", "one.tar.zst", "two.tar.zst"):
        assert cheesebox("export", str(tmp_path / name))[0] == 0
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert (tmp_path / "one.tar.zst").read_bytes() == (tmp_path / "two.tar.zst").read_bytes()


def test_a_part_is_carried_by_its_lock(stocked, cheesebox, tmp_path):
    assert stocked.serial
    lock = tmp_path / "requirements.txt"
    lock.write_text("demo==1.0\n")
    assert cheesebox("export", str(tmp_path / "out"), "-r", str(lock))[0] == 0
    assert [file.filename for file in page(tmp_path / "out", "demo").files] == ["demo-1.0-py3-none-any.whl"]
    assert not (tmp_path / "out" / "simple" / "src").exists()


def test_what_is_wanted_and_not_cached_is_told(stocked, cheesebox, tmp_path):
    assert stocked.serial
    code, out, err = cheesebox("export", str(tmp_path / "out"), "demo==3.0", "demo==2.0", "uncached")
    assert code == 1
    first, second = err.splitlines()
    assert first.startswith("demo==3.0 for Python ")
    assert second == "uncached: not in the cache; cheesebox warm fetches it"
    assert out == f"{tmp_path / 'out'}: 1 projects, 2 files, 1.0 KB\n"


def test_an_unpinned_project_is_the_newest_that_is_cached(stocked, cheesebox, tmp_path):
    assert stocked.serial
    assert cheesebox("export", str(tmp_path / "out"), "demo")[0] == 0
    assert [str(file.version) for file in page(tmp_path / "out", "demo").files] == ["2.0"]


def test_files_that_were_fetched_by_url_alone_are_exported(pypi, cheesebox, tmp_path):
    wheel = pypi.add_wheel("lonely", "1.0")
    pypi.add_wheel("other", "1.0")
    with CheeseboxProcess(pypi.simple_url, tmp_path / "home", "--min-free", "0") as box:
        connection = http.client.HTTPConnection(box.url.split("/")[2], timeout=30)
        for target in ("/pypi/simple/other/", f"/pypi{wheel.path}"):  # the first tells where files lie
            connection.request("GET", target)
            assert connection.getresponse().read()
        connection.close()
    assert cheesebox("export", str(tmp_path / "out"))[0] == 0
    [file] = page(tmp_path / "out", "lonely").files
    assert file.sha256 == wheel.sha256
    assert (tmp_path / "out" / wheel.path[1:]).read_bytes() == wheel.content


def test_a_damaged_file_is_left_out_and_told(stocked, cheesebox, tmp_path):
    assert stocked.serial
    [wheel] = (tmp_path / "home").rglob("demo-1.0-py3-none-any.whl")
    body = bytearray(wheel.read_bytes())
    body[100] ^= 1
    wheel.write_bytes(body)
    code, out, err = cheesebox("export", str(tmp_path / "out"))
    assert (code, out) == (1, f"{tmp_path / 'out'}: 2 projects, 3 files, 2.2 KB\n")
    key = wheel.relative_to(tmp_path / "home")
    assert err == f"{key}: damaged, left out; cheesebox verify --repair removes it\n"
    assert [str(file.version) for file in page(tmp_path / "out", "demo").files] == ["2.0"]


def test_what_a_policy_withholds_is_not_carried(stocked, cheesebox, tmp_path):
    assert stocked.serial
    assert cheesebox("export", str(tmp_path / "out"), deny="demo==2.0 src")[0] == 0
    assert names(tmp_path / "out" / "simple") == ["demo", "index.html"]
    assert [str(file.version) for file in page(tmp_path / "out", "demo").files] == ["1.0"]


def test_a_summary_can_be_read_by_programs(stocked, cheesebox, tmp_path):
    assert stocked.serial
    code, out, _ = cheesebox("export", str(tmp_path / "out"), "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["projects"], told["files"], told["missing"], told["damaged"]) == (2, 5, [], [])


def test_an_archive_takes_the_place_of_an_older_one_only_when_it_is_whole(stocked, cheesebox, tmp_path):
    assert stocked.serial
    (tmp_path / "out.tar.zst").write_bytes(b"older")
    assert cheesebox("export", str(tmp_path / "out.tar.zst"), "uncached")[0] == 2
    assert (tmp_path / "out.tar.zst").read_bytes() == b"older"
    assert cheesebox("export", str(tmp_path / "out.tar.zst"))[0] == 0
    assert (tmp_path / "out.tar.zst").read_bytes() != b"older"
    assert names(tmp_path) == ["home", "out.tar.zst"]


def test_a_directory_with_something_in_it_is_left_alone(stocked, cheesebox, tmp_path):
    assert stocked.serial
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    code, _, err = cheesebox("export", str(out))
    assert (code, err.count("\n")) == (2, 1)
    assert "is there already" in err
    assert tree(out) == {"thesis.txt": b"precious"}


@pytest.mark.parametrize("target", ["out", "out.tar.zst"])
def test_nothing_is_left_of_an_export_of_nothing(stocked, cheesebox, tmp_path, target):
    assert stocked.serial
    code, _, err = cheesebox("export", str(tmp_path / target), "uncached")
    assert (code, err) == (2, "cheesebox: nothing to export: no file of what is asked for is cached\n")
    assert names(tmp_path) == ["home"]


def test_an_empty_place_has_nothing_to_export(cheesebox, tmp_path):
    code, _, err = cheesebox("export", str(tmp_path / "out"))
    assert code == 2
    assert "nothing was cached yet" in err
    assert names(tmp_path) == []


@pytest.mark.parametrize("command", ["export", "import"])
def test_a_cache_that_a_server_uses_is_left_to_it(stocked, cheesebox, tmp_path, command):
    with CheeseboxProcess(stocked.simple_url, tmp_path / "home"):
        code, _, err = cheesebox(command, str(tmp_path / "out"))
    assert code == 2
    assert "in use by another cheesebox" in err


@pytest.mark.parametrize(("index", "told"), [("all", "--index own"), ("wheels", "copy /")])
def test_an_index_that_keeps_no_files_tells_what_to_carry_instead(stocked, tmp_path, capsys, index, told):
    config = tmp_path / "cheesebox.toml"
    config.write_text(
        '[[index]]\nname = "all"\nmount = "/all"\nsources = ["own", "wheels"]\n'
        f'[[index]]\nname = "own"\nmount = "/own"\nupstream = "{stocked.simple_url}"\n'
        f'[[index]]\nname = "wheels"\nmount = "/wheels"\npath = "{tmp_path}"\n'
    )
    place = ("--config", str(config), "--cache-dir", str(tmp_path / "home"))
    assert main(["export", *place, "--index", index, str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err
