"""Merged indexes, mirrors and folders while no upstream is asked."""

from __future__ import annotations

import json

import pytest

from cheesebox.app import build_app
from cheesebox.settings_loading import load_settings
from tests.fakes.distributions import Release, wheel_bytes
from tests.fakes.faults import Status
from tests.web.running import Running, SteppedClock

JSON = "application/vnd.pypi.simple.v1+json"
YEAR = 366 * 86400


def switch(box, *, offline):
    async def turn():
        connectivity = box.app.connectivity
        (connectivity.go_offline if offline else connectivity.go_online)()

    box.call(turn())


def listed(box, project, mount="/all"):
    answer = box.get(f"{mount}/simple/{project}/", accept=JSON)
    assert answer.status == 200
    return {file["filename"]: file["url"] for file in json.loads(answer.body)["files"]}


def fetch(box, project, filename, mount="/all"):
    return box.follow(f"{mount}/simple/{project}/", listed(box, project, mount)[filename]).status


def projects(box, mount="/all"):
    page = json.loads(box.get(f"{mount}/simple/", accept=JSON).body)
    return [project["name"] for project in page["projects"]]


@pytest.fixture
def internal(doubles):
    return doubles()


@pytest.fixture
def public(doubles):
    return doubles()


@pytest.fixture
def launch(tmp_path, internal, public):
    """Start an application on the one cache directory of the test."""

    def start(rules="", **overrides):
        config = tmp_path / "cheesebox.toml"
        config.write_text(f"""
            [[index]]
            name = "all"
            sources = ["internal", "public"]
            {rules}
            [[index]]
            name = "internal"
            mount = ""
            upstream = "{internal.simple_url}"
            [[index]]
            name = "public"
            upstream = "{public.simple_url}"
        """)
        given = {"cache_dir": str(tmp_path / "cache"), "min_free": "0", "retries": "0", **overrides}
        clock = SteppedClock()
        app = build_app(load_settings(config, {}, given), clock=clock, access_sink=[].extend)
        return Running(lambda app: app, "", app, clock)

    return start


def quiet(*doubles):
    return all(double.count("*") == 0 for double in doubles)


def clear(*doubles):
    for double in doubles:
        double.clear()


def test_a_source_is_passed_over_if_it_had_no_such_project_when_it_was_asked_last(launch, internal, public):
    old, new = public.add_wheel("demo", "1.0"), public.add_wheel("demo", "2.0")
    with launch() as box:
        assert listed(box, "demo").keys() == {old.filename, new.filename}
        assert fetch(box, "demo", old.filename) == 200
        clear(internal, public)
        switch(box, offline=True)
        box.clock.advance(YEAR)
        assert listed(box, "demo").keys() == {old.filename}
        assert fetch(box, "demo", old.filename) == 200
    with launch(offline="true") as box:
        assert listed(box, "demo").keys() == {old.filename}
        assert fetch(box, "demo", old.filename) == 200
        assert quiet(internal, public)


def test_a_source_that_was_never_asked_is_not_passed_over(launch, internal, public):
    public.add_wheel("ours", "9.9")
    with launch() as box:
        assert box.get("/public/simple/ours/").status == 200
        clear(internal, public)
        switch(box, offline=True)
        answer = box.get("/all/simple/ours/")
        assert answer.status == 424
        assert f"{internal.simple_url}ours/ is not in the cache" in json.loads(answer.body)["detail"]
        assert quiet(internal, public)


def test_a_source_that_got_the_project_meanwhile_is_not_passed_over(launch, internal, public):
    squatted = public.add_wheel("ours", "9.9")
    with launch() as box:
        assert fetch(box, "ours", squatted.filename) == 200
        own = internal.add_wheel("ours", "1.0")
        box.clock.advance(100)
        assert listed(box, "ours").keys() == {own.filename}
        key = "internal/simple/ours.page"
        box.call(box.app._parts.shelf.forget(key))
    with launch(offline="true") as box:
        assert box.get("/all/simple/ours/").status == 424


def test_a_union_has_what_each_source_can_give(launch, internal, public):
    ours, theirs = internal.add_wheel("demo", "1.0"), public.add_wheel("demo", "2.0")
    public.add_wheel("other", "1.0")
    with launch('union = "all"') as box:
        assert listed(box, "demo").keys() == {ours.filename, theirs.filename}
        assert fetch(box, "demo", theirs.filename) == 200
        switch(box, offline=True)
        assert listed(box, "demo").keys() == {theirs.filename}
        box.call(box.app._parts.shelf.forget("internal/simple/demo.page"))
    clear(internal, public)
    with launch('union = "all"', offline="true") as box:
        assert listed(box, "demo").keys() == {theirs.filename}
        assert box.get("/all/simple/other/").status == 424
        assert quiet(internal, public)


def test_the_merged_list_has_the_projects_that_files_are_cached_of(launch, internal, public):
    ours, theirs = internal.add_wheel("ours", "1.0"), public.add_wheel("theirs", "2.0")
    public.add_wheel("other", "1.0")
    with launch() as box:
        assert fetch(box, "ours", ours.filename) == fetch(box, "theirs", theirs.filename) == 200
        assert projects(box) == ["other", "ours", "theirs"]
        clear(internal, public)
        switch(box, offline=True)
        assert projects(box) == ["ours", "theirs"]
        assert projects(box, "/public") == ["theirs"]
        assert quiet(internal, public)
        switch(box, offline=False)
        assert projects(box) == ["other", "ours", "theirs"]


def test_a_folder_goes_on_as_if_nothing_were(serve, public, tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    name = "demo-1.0-py3-none-any.whl"
    (wheels / name).write_bytes(wheel_bytes(Release("demo", "1.0", (), None), "py3-none-any", 0, {}))
    other = public.add_wheel("other", "1.0")
    box = serve(f"""
        offline = true
        [[index]]
        name = "all"
        sources = ["local", "public"]
        [[index]]
        name = "local"
        path = "{wheels}"
        [[index]]
        name = "public"
        upstream = "{public.simple_url}"
    """)
    for mount in ("/all", "/local"):
        assert listed(box, "demo", mount).keys() == {name}
        assert fetch(box, "demo", name, mount) == 200
        assert projects(box, mount) == ["demo"]
    assert box.get("/all/simple/other/").status == 424
    assert box.get(f"/all/sources/public{other.path}").status == 424
    assert quiet(public)


def test_mirrors_that_failed_before_are_asked_at_once_when_online_again(serve, doubles):
    first, second = doubles(), doubles()
    first.add_wheel("demo", "1.0")
    second.add_wheel("demo", "1.0")
    box = serve(f'upstreams = ["{first.simple_url}", "{second.simple_url}"]')
    first.fault("*", Status(503))
    assert listed(box, "demo", "/pypi")
    switch(box, offline=True)
    assert box.get("/pypi/simple/other/").status == 424
    first.heal()
    clear(first, second)
    switch(box, offline=False)
    assert box.get("/pypi/simple/other/").status == 404
    assert (first.count("*"), second.count("*")) == (1, 0)
