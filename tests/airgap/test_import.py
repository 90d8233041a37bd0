"""``cheesebox import``: what it takes, and what it does not."""

from __future__ import annotations

import http.client
import io
import json
import shutil
import sys
import tarfile
import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.fakes.cheesebox_process import CheeseboxProcess

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from pathlib import Path

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture(params=["out", "out.tar.zst"])
def exported(request, stocked, cheesebox, tmp_path):
    """An export in each of its forms, and no upstream any more."""
    path = tmp_path / request.param
    assert cheesebox("export", str(path))[0] == 0
    stocked.go_down()
    return path


@pytest.fixture
def folder(stocked, cheesebox, tmp_path):
    """An export to change; the upstream is gone."""
    assert cheesebox("export", str(tmp_path / "folder"))[0] == 0
    stocked.go_down()
    return tmp_path / "folder"


def get(box, path, **headers):
    connection = http.client.HTTPConnection(box.url.split("/")[2], timeout=30)
    try:
        connection.request("GET", f"/pypi{path}", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("x-cache2"), answer.read()
    finally:
        connection.close()


def archive(target: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with zstd.ZstdFile(target, "wb") as compressed, tarfile.open(fileobj=compressed, mode="w|") as tar:
        for info, body in members:
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return target


def members_of(folder: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(tarfile.TarInfo(path.relative_to(folder).as_posix()), path.read_bytes()) for path in files]


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


def test_an_imported_cache_serves_pages_as_stale_and_files_as_hits(exported, cheesebox, stocked, tmp_path):
    assert cheesebox("import", str(exported), cache="away") == (
        0,
        "2 projects: 5 files imported (3.2 KB), 0 were cached, 0 refused\n",
        "",
    )
    with CheeseboxProcess(stocked.simple_url, tmp_path / "away", "--min-free", "0") as box:
        status, cache, body = get(box, "/simple/demo/", Accept=JSON)
        page = json.loads(body)
        assert (status, cache, page["versions"]) == (200, "STALE", ["1.0", "2.0"])
        assert page["files"][0]["upload-time"] == "2025-01-01T00:00:00.000000Z"
        assert "provenance" in page["files"][1]
        for file in page["files"]:
            path = file["url"].removeprefix("../..")
            assert get(box, path)[:2] == (200, "HIT")
            assert get(box, f"{path}.metadata")[:2] == (200, "HIT")
        assert cheesebox("verify", cache="away")[:2] == (0, "7 objects verified, 0 damaged\n")


def test_an_imported_file_has_the_entity_tag_of_a_downloaded_one(exported, cheesebox, stocked, tmp_path):
    cheesebox("import", str(exported), cache="away")
    tags = []
    path = next(path for path in stocked._contents.by_path if "demo-1.0" in path)
    for cache in ("home", "away"):
        with CheeseboxProcess(stocked.simple_url, tmp_path / cache, "--min-free", "0") as box:
            connection = http.client.HTTPConnection(box.url.split("/")[2], timeout=30)
            connection.request("HEAD", f"/pypi{path}")
            tags.append(connection.getresponse().getheader("etag"))
            connection.close()
    assert tags[0] == tags[1]


def test_what_is_cached_is_skipped(exported, cheesebox):
    cheesebox("import", str(exported), cache="away")
    assert cheesebox("import", str(exported), cache="away") == (
        0,
        "2 projects: 0 files imported (0 B), 5 were cached, 0 refused\n",
        "",
    )


def test_an_import_survives_the_loss_of_the_catalogue(exported, cheesebox, stocked, tmp_path):
    cheesebox("import", str(exported), cache="away")
    (tmp_path / "away" / "catalogue.sqlite").unlink()
    with CheeseboxProcess(stocked.simple_url, tmp_path / "away", "--min-free", "0") as box:
        box.wait_for_line("catalogue rebuilt: 7 objects")
        assert get(box, "/simple/demo/")[:2] == (200, "STALE")


def test_another_upstream_may_be_set_where_it_is_imported(exported, cheesebox, tmp_path):
    elsewhere = "http://127.0.0.1:1/simple/"
    assert cheesebox("import", str(exported), cache="away", upstream=elsewhere)[0] == 0
    with CheeseboxProcess(elsewhere, tmp_path / "away", "--min-free", "0") as box:
        status, cache, body = get(box, "/simple/demo/", Accept=JSON)
        assert (status, cache) == (200, "STALE")
        path = json.loads(body)["files"][0]["url"].removeprefix("../..")
        assert get(box, path)[:2] == (200, "HIT")


def test_when_the_upstream_is_there_its_page_takes_the_place_of_the_imported_one(
    exported, cheesebox, stocked, tmp_path
):
    cheesebox("import", str(exported), cache="away")
    stocked.come_back()
    with CheeseboxProcess(stocked.simple_url, tmp_path / "away", "--min-free", "0") as box:
        status, _, body = get(box, "/simple/demo/", Accept=JSON)
        assert (status, json.loads(body)["versions"]) == (200, ["1.0", "2.0", "3.0"])


def test_a_page_that_tells_more_is_kept(exported, cheesebox, stocked, tmp_path):
    before = (tmp_path / "home" / "pypi" / "simple" / "demo.page").read_bytes()
    assert cheesebox("import", str(exported))[1].startswith("2 projects: 0 files imported")
    assert (tmp_path / "home" / "pypi" / "simple" / "demo.page").read_bytes() == before
    assert stocked.count("*") > 0


def test_a_page_gains_the_files_that_it_lacks(stocked, cheesebox, tmp_path):
    for version in ("1.0", "2.0"):
        assert cheesebox("export", str(tmp_path / f"{version}.tar.zst"), f"demo=={version}")[0] == 0
        assert cheesebox("import", str(tmp_path / f"{version}.tar.zst"), cache="away")[0] == 0
    stocked.go_down()
    with CheeseboxProcess(stocked.simple_url, tmp_path / "away", "--min-free", "0") as box:
        page = json.loads(get(box, "/simple/demo/", Accept=JSON)[2])
    assert page["versions"] == ["1.0", "2.0"]
    assert len(page["files"]) == 2


def test_a_file_whose_digest_is_another_one_is_refused(folder, cheesebox, stocked, tmp_path):
    [wheel] = folder.rglob("demo-1.0-py3-none-any.whl")
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"!")
    code, out, err = cheesebox("import", str(folder), cache="away")
    assert (code, out) == (1, "2 projects: 4 files imported (2.2 KB), 0 were cached, 1 refused\n")
    assert err.startswith(f"{wheel.relative_to(folder)}: refused: its digest is not sha256:")
    assert not list((tmp_path / "away").rglob("demo-1.0-py3-none-any.whl"))
    with CheeseboxProcess(stocked.simple_url, tmp_path / "away", "--min-free", "0") as box:
        assert json.loads(get(box, "/simple/demo/", Accept=JSON)[2])["versions"] == ["2.0"]


def test_a_file_that_no_page_names_is_refused(folder, cheesebox, tmp_path):
    (folder / "packages" / "evil-1.0.tar.gz").write_bytes(b"evil")
    code, _, err = cheesebox("import", str(folder), cache="away")
    assert (code, err) == (
        1,
        "packages/evil-1.0.tar.gz: refused: no page of the export names it with a digest\n",
    )
    assert not list((tmp_path / "away").rglob("evil*"))


def test_a_damaged_page_is_refused_with_its_files(folder, cheesebox):
    page = folder / "simple" / "src" / "cheesebox.page"
    page.write_bytes(page.read_bytes().replace(b"src-1.0", b"src-1.1"))
    code, out, err = cheesebox("import", str(folder), cache="away")
    assert (code, len(err.splitlines())) == (1, 2)
    assert "simple/src/cheesebox.page: refused: damaged" in err
    assert out.startswith("1 projects: 4 files imported")


def test_links_are_refused(folder, cheesebox, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    shutil.move(folder / "packages", secret / "packages")
    (folder / "packages").symlink_to(secret / "packages")
    [sdist] = (secret / "packages").rglob("src-1.0.tar.gz")
    (folder / "simple" / "link").symlink_to(sdist)
    code, out, err = cheesebox("import", str(folder), cache="away")
    assert (code, out) == (1, "0 projects: 0 files imported (0 B), 0 were cached, 2 refused\n")
    assert sorted(err.splitlines()) == [
        "packages: refused: no regular file",
        "simple/link: refused: no regular file",
    ]


@pytest.mark.parametrize(
    "member",
    [
        info("../outside"),
        info("packages/../../outside"),
        info("/outside"),
        info("packages/./x"),
        info("packages/link", tarfile.SYMTYPE, "/etc/passwd"),
        info("packages/hard", tarfile.LNKTYPE, "cheesebox.json"),
        info("packages/device", tarfile.CHRTYPE),
        info("packages/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda member: member.name,
)
def test_members_that_lead_outside_are_refused_and_the_others_taken(folder, cheesebox, tmp_path, member):
    path = archive(tmp_path / "bad.tar.zst", (member, b""), *members_of(folder))
    before = sorted(each.name for each in tmp_path.iterdir())
    code, out, err = cheesebox("import", str(path), cache="away")
    assert (code, out) == (1, "2 projects: 5 files imported (3.2 KB), 0 were cached, 1 refused\n")
    assert err.startswith(f"{member.name}: refused: ")
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*before, "away"])


def test_an_archive_in_any_order_is_taken(folder, cheesebox, tmp_path):
    path = archive(tmp_path / "turned.tar.zst", *reversed(members_of(folder)))
    assert cheesebox("import", str(path), cache="away")[0] == 0


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda _: None, "cannot be read"),
        (lambda path: path.write_bytes(b"no archive at all"), "not a whole .tar.zst archive"),
        (
            lambda path: archive(path, (info("packages/x"), b"x")),
            "no export of a cache: it has no cheesebox.json",
        ),
        (lambda path: archive(path, (info("cheesebox.json"), b'{"format":2}')), "format 2; known is 1"),
        (lambda path: archive(path, (info("cheesebox.json"), b"?")), "not JSON"),
    ],
    ids=["missing", "garbage", "other", "newer", "unreadable"],
)
def test_what_is_no_export_is_told_in_one_line(cheesebox, tmp_path, make, told):
    path = tmp_path / "x.tar.zst"
    make(path)
    code, out, err = cheesebox("import", str(path), cache="away")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err


def test_a_cut_archive_is_told_and_can_be_taken_whole_afterwards(exported, cheesebox, tmp_path):
    if exported.is_dir():
        exported = archive(tmp_path / "own.tar.zst", *members_of(exported))
    whole = exported.read_bytes()
    cut = tmp_path / "cut.tar.zst"
    cut.write_bytes(whole[: len(whole) // 2])
    code, _, err = cheesebox("import", str(cut), cache="away")
    assert (code, err.count("\n")) == (2, 1)
    assert cheesebox("import", str(exported), cache="away")[0] == 0


def test_an_export_larger_than_the_cache_may_be_is_not_begun(exported, cheesebox, tmp_path):
    code, _, err = cheesebox("import", str(exported), cache="away", max_size="2KB")
    assert code == 2
    assert "more than max_size" in err
    assert not list((tmp_path / "away").rglob("*.whl"))


def test_a_directory_that_is_no_export_is_told(cheesebox):
    with tempfile.TemporaryDirectory() as empty:
        code, _, err = cheesebox("import", empty, cache="away")
    assert (code, err) == (2, "cheesebox: no export of a cache: it has no cheesebox.json\n")
