from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cheesebox.errors import SettingsError
from cheesebox.settings_loading import load_settings
from tests.fakes.faults import ContentType, HtmlOnly, Status

if TYPE_CHECKING:
    from pathlib import Path

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


def links(answer) -> list[str]:
    assert answer.status == 200, answer
    return [file["url"] for file in json.loads(answer.body)["files"]]


def get_json(box, path):
    return box.get(path, Accept=SIMPLE_JSON)


def test_each_index_answers_on_its_own_mount(serve, doubles):
    one, other = doubles(), doubles()
    ours = one.add_wheel("demo", "1.0")
    theirs = other.add_wheel("demo", "2.0")
    box = serve(f"""
        [[index]]
        name = "one"
        upstream = "{one.simple_url}"
        [[index]]
        name = "other"
        mount = "/deep/down"
        upstream = "{other.simple_url}"
    """)
    for mount, file in (("/one", ours), ("/deep/down", theirs)):
        page = f"{mount}/simple/demo/"
        (link,) = links(get_json(box, page))
        assert box.follow(page, link).body == file.content
    assert box.get("/pypi/simple/demo/").status == 404


def test_an_index_with_html_pages_alone_is_served_in_both_formats(serve, doubles):
    pypi = doubles()
    file = pypi.add_wheel("demo", "1.0")
    pypi.fault("/simple/*", HtmlOnly())
    box = serve(f'upstream = "{pypi.simple_url}"')
    (link,) = links(get_json(box, "/pypi/simple/demo/"))
    assert box.follow("/pypi/simple/demo/", link).body == file.content
    assert b"demo-1.0" in box.get("/pypi/simple/demo/", Accept="text/html").body


@pytest.mark.parametrize("content_type", ["application/octet-stream", "text/plain", "application/json"])
def test_a_page_with_an_odd_content_type_is_told_by_its_first_byte(serve, doubles, content_type):
    pypi = doubles()
    pypi.add_wheel("demo", "1.0")
    pypi.fault("/simple/*", ContentType(content_type))
    assert len(links(get_json(serve(f'upstream = "{pypi.simple_url}"'), "/pypi/simple/demo/"))) == 1


@pytest.mark.parametrize("status", [403, 404, 405])
def test_an_index_without_a_project_list_still_has_pages(serve, doubles, status):
    pypi = doubles()
    pypi.add_wheel("demo", "1.0")
    pypi.fault("/simple/", Status(status))
    box = serve(f'upstream = "{pypi.simple_url}"')
    assert box.get("/pypi/simple/").status == 404
    assert len(links(get_json(box, "/pypi/simple/demo/"))) == 1


def test_a_403_for_a_project_is_trouble_unless_the_setting_says_that_it_means_missing(serve, doubles):
    pypi = doubles()
    pypi.fault("/simple/*/", Status(403))
    box = serve(f"""
        [[index]]
        name = "strict"
        upstream = "{pypi.simple_url}"
        [[index]]
        name = "bucket"
        upstream = "{pypi.simple_url}"
        missing_on_403 = true
    """)
    assert box.get("/strict/simple/demo/").status == 502
    assert box.get("/bucket/simple/demo/").status == 404


def test_only_hosts_and_paths_that_a_page_of_the_same_index_named_are_fetched(serve, doubles):
    pypi, other = doubles(), doubles()
    file = other.add_file("demo", "demo-1.0-py3-none-any.whl", b"elsewhere", path="/packages/demo.whl")
    pypi.add_wheel("demo", "2.0")
    page = json.dumps(
        {
            "meta": {"api-version": "1.1"},
            "name": "demo",
            "files": [
                {
                    "filename": file.filename,
                    "url": f"{other.url}/packages/demo-1.0-py3-none-any.whl",
                    "hashes": {"sha256": file.sha256},
                }
            ],
        }
    ).encode()
    pypi.fault("/simple/demo/", Status(200, {"Content-Type": SIMPLE_JSON}, page))
    box = serve(f"""
        [[index]]
        name = "names-it"
        upstream = "{pypi.simple_url}"
        upstream_files = "{pypi.files_url}/packages/"
        [[index]]
        name = "does-not"
        upstream = "{other.simple_url}"
    """)
    (link,) = links(get_json(box, "/names-it/simple/demo/"))
    host = other.url.removeprefix("http://")
    assert link == f"../../files/{host.replace(':', '%3A')}/packages/demo-1.0-py3-none-any.whl"
    other.clear()
    assert box.get(f"/names-it/files/{host}/packages/other-1.0-py3-none-any.whl").status == 404
    assert box.get(f"/names-it/files/127.0.0.1:9/packages/{file.filename}").status == 404
    assert box.get(f"/does-not/files/{host}/packages/{file.filename}").status == 404
    assert other.count("/packages/*") == 0
    box.follow("/names-it/simple/demo/", link)
    assert other.count("/packages/*") == 1


# ── settings ────────────────────────────────────────────────────────────────────────────────────


def load(tmp_path: Path, toml: str, **overrides: str):
    config = tmp_path / "some.toml"
    config.write_text(toml)
    return load_settings(config, {"HOME": "/home/somebody"}, overrides)


def table(name: str, **keys: str) -> str:
    lines = [f'name = "{name}"', *(f"{key} = {value}" for key, value in keys.items())]
    return "[[index]]\n" + "\n".join(lines) + "\n"


UPSTREAM = '"https://index.example/simple"'


def test_the_tables_become_indexes_in_their_order(tmp_path):
    settings = load(
        tmp_path,
        'port = 1\n[[index]]\nname = "pypi"\n'
        + table("b", upstream=UPSTREAM, fresh_for='"1h"')
        + table("c", upstreams=f"[{UPSTREAM}, {UPSTREAM}]", mount='"/x/c/"')
        + table("all", sources='["b", "pypi"]', pins='{ Torch = "b" }', union='["Some.Project"]'),
    )
    pypi, b, c, merged = settings.indexes
    assert (settings.port, settings.front) == (1, pypi)
    assert (pypi.mount, pypi.upstream) == ("/pypi", "https://pypi.org/simple/")
    assert (b.mount, b.upstream, b.fresh_for) == ("/b", "https://index.example/simple/", 3600.0)
    assert (c.mount, c.upstream, len(c.upstreams)) == ("/x/c", "https://index.example/simple/", 2)
    assert merged.sources == ("b", "pypi")
    assert (merged.pins, merged.union) == ((("torch", "b"),), ("some-project",))


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("index = 1", "index is written as [[index]] tables"),
        ("[[index]]\nmount = '/x'", "number 1 has no name"),
        (table("a", upstrem=UPSTREAM), "[[index]] 'a': unknown key 'upstrem'; did you mean upstream"),
        (table("a"), "[[index]] 'a': one of the keys upstream, upstreams, sources, path is needed"),
        (table("A", upstream=UPSTREAM), "name ("),
        (table("a", upstream=UPSTREAM, sources="['b']"), "sources: there is upstream already"),
        (table("a", upstream=UPSTREAM, pins="{ x = 'a' }"), "pins: only an index with sources"),
        (table("a", path="'.'", token="'x'"), "token: an index with path has no such key"),
        (table("a", upstream=UPSTREAM, fresh_for="'soon'"), "fresh_for ("),
        (table("a", upstream=UPSTREAM) * 2, "name = 'a' is there more than once"),
        (table("a", upstream=UPSTREAM) + table("b", upstream=UPSTREAM, mount="'/a/b'"), "overlaps with '/a'"),
        (table("a", upstream=UPSTREAM, mount="'/-/x'"), "[[index]] 'a': mount = '/-/x'"),
        (table("a", upstream=UPSTREAM, mount="''"), "mount is empty, and no index has it as a source"),
        (table("a", sources="['b']"), "[[index]] 'a': sources: no index is called 'b'"),
        (table("a", sources="['b', 'b']") + table("b", upstream=UPSTREAM), "more than once"),
        (table("a", sources="['b']") + table("b", sources="['a']"), "lead in a circle: "),
        (table("a", sources="['a']"), "lead in a circle: a → a"),
        (
            table("a", sources="['b']", pins="{ x = 'c' }") + table("b", upstream=UPSTREAM),
            "none of its sources",
        ),
        (table("a", sources="['b']", union="['-']") + table("b", upstream=UPSTREAM), "union ("),
        (table("a", upstream=UPSTREAM, password="'x'", token="'y'"), "token: there is password already"),
        (table("a", upstream=UPSTREAM, client_key="'some.toml'"), "client_key"),
    ],
)
def test_a_table_that_cannot_be_is_refused_with_the_key(tmp_path, monkeypatch, toml, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, toml)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["file", "command line"])
def test_flat_keys_of_an_index_and_tables_do_not_mix(tmp_path, source):
    flat = "fresh_for = 1\n" if source == "file" else ""
    given = {} if source == "file" else {"fresh_for": "1"}
    with pytest.raises(SettingsError, match=r"fresh_for \(.*\): set it in the \[\[index\]\] tables"):
        load(tmp_path, flat + table("a", upstream=UPSTREAM), **given)
