from __future__ import annotations

import gzip
import hashlib
import json
import os
from datetime import UTC, datetime

import pytest

from tests.fakes.distributions import Release, sdist_bytes, wheel_bytes

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
RELEASE = Release("demo", "1.0", (), ">=3.8")
WHEEL = "demo-1.0-py3-none-any.whl"
PAGE = "/local/simple/demo/"
NOON = 1_700_000_000


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "wheels"
    path.mkdir()
    return path


@pytest.fixture
def box(serve, folder):
    return serve(f'[[index]]\nname = "local"\npath = "{folder}"\n')


def put(folder, name, content=None):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(wheel_bytes(RELEASE, "py3-none-any", 0, {}) if content is None else content)
    os.utime(path, (NOON, NOON))
    return path


def page(box, path=PAGE):
    answer = box.get(path, Accept=SIMPLE_JSON)
    assert answer.status == 200, answer
    return json.loads(answer.body)


def test_a_wheel_is_listed_with_all_that_it_tells(box, folder):
    content = put(folder, WHEEL).read_bytes()
    document = page(box)
    (file,) = document["files"]
    metadata = box.follow(PAGE, f"{file['url']}.metadata")
    assert b"Requires-Python: >=3.8" in metadata.body
    assert file == {
        "filename": WHEEL,
        "url": f"../../packages/{WHEEL}",
        "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
        "size": len(content),
        "upload-time": datetime.fromtimestamp(NOON, UTC).isoformat().replace("+00:00", "Z"),
        "requires-python": ">=3.8",
        "core-metadata": {"sha256": hashlib.sha256(metadata.body).hexdigest()},
    }
    assert (document["meta"], document["versions"]) == ({"api-version": "1.1"}, ["1.0"])
    assert WHEEL.encode() in box.get(PAGE, Accept="text/html").body
    coded = box.get(PAGE, Accept=SIMPLE_JSON, Accept_Encoding="gzip")
    assert json.loads(gzip.decompress(coded.body)) == document


def test_files_are_served_from_where_they_lie(box, folder, tmp_path):
    content = put(folder, WHEEL).read_bytes()
    path = f"/local/packages/{WHEEL}"
    answer = box.get(path)
    assert (answer.status, answer.body) == (200, content)
    assert box.get(path, Range="bytes=-5").body == content[-5:]
    assert box.get(path, If_None_Match=answer["etag"]).status == 304
    assert box.head(path)["content-length"] == str(len(content))
    cached = [p for p in tmp_path.glob("cache*/**/*") if p.is_file() and p.suffix == ".whl"]
    assert cached == []


def test_a_tree_with_a_folder_for_each_project_is_read_too(box, folder):
    put(folder, f"anything/{WHEEL}")
    put(folder, "other/other-2.0.tar.gz", sdist_bytes(Release("other", "2.0", (), None), 0))
    put(folder, f"too/{WHEEL}").rename(folder / "too" / ".hidden-1.0.tar.gz")
    (file,) = page(box)["files"]
    assert file["url"] == f"../../packages/anything/{WHEEL}"
    assert box.follow(PAGE, file["url"]).status == 200
    (sdist,) = page(box, "/local/simple/other/")["files"]
    assert "core-metadata" not in sdist
    assert box.follow("/local/simple/other/", f"{sdist['url']}.metadata").status == 404
    listed = json.loads(box.get("/local/simple/", Accept=SIMPLE_JSON).body)
    assert listed["projects"] == [{"name": "demo"}, {"name": "other"}]


def test_a_change_is_seen_within_a_second(box, folder):
    path = put(folder, WHEEL)
    (before,) = page(box)["files"]
    assert box.follow(PAGE, before["url"]).status == 200
    other = wheel_bytes(RELEASE, "py3-none-any", 500, {})
    put(folder, WHEEL, other)
    box.clock.advance(1)
    (after,) = page(box)["files"]
    assert after["hashes"]["sha256"] == hashlib.sha256(other).hexdigest() != before["hashes"]["sha256"]
    assert box.follow(PAGE, after["url"]).body == other
    path.unlink()
    box.clock.advance(1)
    assert box.get(PAGE).status == 404
    assert box.follow(PAGE, after["url"]).status == 404


def test_a_file_that_was_replaced_since_the_last_look_is_not_served_under_the_old_digest(box, folder):
    put(folder, WHEEL)
    page(box)
    put(folder, WHEEL, b"short")
    assert box.get(f"/local/packages/{WHEEL}").status == 404


def test_a_wheel_that_is_still_being_copied_is_not_listed(box, folder):
    whole = wheel_bytes(RELEASE, "py3-none-any", 0, {})
    put(folder, WHEEL, whole[: len(whole) // 2])
    assert box.get(PAGE).status == 404
    put(folder, WHEEL, whole)
    box.clock.advance(1)
    assert len(page(box)["files"]) == 1


def test_nothing_outside_is_served_not_even_by_a_link(box, folder, tmp_path):
    secret = put(tmp_path, "secret-1.0.tar.gz", b"secret")
    outside = tmp_path / "outside"
    outside.mkdir()
    put(outside, "hidden-1.0.tar.gz", b"secret")
    (folder / "secret-1.0.tar.gz").symlink_to(secret)
    (folder / "outside").symlink_to(outside)
    put(folder, WHEEL)
    (folder / "notes.txt").write_text("no distribution")
    for path in (
        "secret-1.0.tar.gz",
        "outside/hidden-1.0.tar.gz",
        "..%2fsecret-1.0.tar.gz",
        "../secret-1.0.tar.gz",
        "notes.txt",
    ):
        assert box.get(f"/local/packages/{path}").status == 404
    listed = json.loads(box.get("/local/simple/", Accept=SIMPLE_JSON).body)
    assert listed["projects"] == [{"name": "demo"}]


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(box, folder, tmp_path):
    path = put(folder, WHEEL)
    page(box)
    secret = put(tmp_path, "secret", path.read_bytes())
    path.unlink()
    path.symlink_to(secret)
    assert box.get(f"/local/packages/{WHEEL}").status == 404


def test_a_folder_has_no_json_api_and_no_attestations(box, folder):
    put(folder, WHEEL)
    assert box.get("/local/pypi/demo/json").status == 404
    assert box.get(f"/local/integrity/demo/1.0/{WHEEL}/provenance").status == 404


def test_a_folder_that_has_gone_is_trouble_and_no_404(box, folder):
    folder.rmdir()
    assert box.get(PAGE).status == 503


def test_a_folder_is_a_source_of_a_merged_index(serve, folder, doubles):
    pypi = doubles()
    pypi.add_wheel("demo", "9.9")
    theirs = pypi.add_wheel("other", "1.0")
    content = put(folder, WHEEL).read_bytes()
    box = serve(f"""
        [[index]]
        name = "all"
        sources = ["local", "pypi"]
        [[index]]
        name = "local"
        mount = ""
        path = "{folder}"
        [[index]]
        name = "pypi"
        upstream = "{pypi.simple_url}"
    """)
    (file,) = page(box, "/all/simple/demo/")["files"]
    assert file["url"] == f"../../sources/local/packages/{WHEEL}"
    assert box.follow("/all/simple/demo/", file["url"]).body == content
    (other,) = page(box, "/all/simple/other/")["files"]
    assert box.follow("/all/simple/other/", other["url"]).body == theirs.content
    listed = json.loads(box.get("/all/simple/", Accept=SIMPLE_JSON).body)
    assert listed["projects"] == [{"name": "demo"}, {"name": "other"}]
