from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.simple.merging import merge_lists, merge_pages
from cheesebox.simple.model import DistributionFile, ProjectList, ProjectPage
from cheesebox.simple.names import ProjectName, canonical_spelling
from cheesebox.web.models import PurgeRequest
from tests.fakes.faults import Delay, Status

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
PAGE = "/all/simple/demo/"

# ── the pure part ───────────────────────────────────────────────────────────────────────────────

names = st.sampled_from(["a-1.whl", "a-2.whl", "a-3.whl", "a-4.whl"])
api_versions = st.sampled_from(["1.0", "1.1", "1.4", "1.10"])


@st.composite
def pages(draw):
    versions = draw(st.none() | st.lists(st.sampled_from("123"), unique=True))
    document = {"meta": {"api-version": draw(api_versions), "_last-serial": 7}, "name": "a"}
    if versions is not None:
        document["versions"] = versions
    files = tuple(
        DistributionFile({"filename": name}, f"https://{draw(st.integers(0, 9))}/{name}")
        for name in draw(st.lists(names, unique=True))
    )
    return ProjectPage(ProjectName("a"), document, files, 2)


@given(st.lists(pages(), min_size=1, max_size=4))
def test_each_file_name_is_there_once_and_from_the_first_page_that_has_it(given_pages):
    merged, owners = merge_pages(given_pages)
    filenames = [file.filename for file in merged.files]
    assert len(filenames) == len(set(filenames))
    assert set(filenames) == {file.filename for page in given_pages for file in page.files}
    for file in merged.files:
        assert file in given_pages[owners[file.filename]].files
        assert all(
            file.filename != other.filename
            for page in given_pages[: owners[file.filename]]
            for other in page.files
        )


@given(st.lists(pages(), min_size=1, max_size=4))
def test_the_lowest_api_version_holds_and_versions_are_united_where_all_tell_them(given_pages):
    merged, _ = merge_pages(given_pages)
    order = ["1.0", "1.1", "1.4", "1.10"]
    assert merged.api_version == min((page.api_version for page in given_pages), key=order.index)
    if all("versions" in page.document for page in given_pages):
        assert set(merged.versions) == {v for page in given_pages for v in page.versions}
        assert len(merged.versions) == len(set(merged.versions))
    else:
        assert "versions" not in merged.document
    assert "_last-serial" not in merged.document["meta"]


@given(pages())
def test_merging_one_page_keeps_its_files(page):
    assert merge_pages([page])[0].files == page.files


@given(st.lists(st.lists(st.sampled_from(["A.b", "a-b", "C", "c", "d"])), min_size=1, max_size=3))
def test_a_merged_list_has_each_project_once(lists):
    merged = merge_lists([ProjectList({}, tuple(one), b"[]") for one in lists])
    spelt = [canonical_spelling(name) for name in merged.names]
    assert spelt == sorted({canonical_spelling(name) for one in lists for name in one})
    assert [project["name"] for project in json.loads(merged.projects)] == list(merged.names)


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def internal(doubles):
    return doubles()


@pytest.fixture
def public(doubles):
    return doubles()


@pytest.fixture
def launch(serve, internal, public):
    def start(rules: str = "", mounts: str = "", **overrides: str):
        return serve(
            f"""
            [[index]]
            name = "all"
            sources = ["internal", "public"]
            {rules}
            [[index]]
            name = "internal"
            mount = ""
            upstream = "{internal.simple_url}"
            {mounts}
            [[index]]
            name = "public"
            upstream = "{public.simple_url}"
        """,
            **overrides,
        )

    return start


def get_json(box, path=PAGE, **headers):
    return box.get(path, Accept=SIMPLE_JSON, **headers)


def files(box, path=PAGE):
    answer = get_json(box, path)
    assert answer.status == 200, answer
    return {file["filename"]: file["url"] for file in json.loads(answer.body)["files"]}


def test_the_first_source_that_has_a_project_answers_alone(launch, internal, public):
    ours = internal.add_wheel("demo", "1.0")
    public.add_wheel("demo", "9.9")
    box = launch()
    assert set(files(box)) == {ours.filename}
    assert public.requests == []


def test_a_project_that_the_first_source_does_not_have_comes_from_the_next(launch, internal, public):
    theirs = public.add_wheel("demo", "9.9")
    box = launch()
    ((name, link),) = files(box).items()
    assert name == theirs.filename
    assert link.startswith("../../sources/public/packages/")
    assert box.follow(PAGE, link).body == theirs.content
    assert box.follow(PAGE, link)["x-cache2"] == "HIT"
    assert internal.count("/packages/*") == 0


def test_files_and_metadata_of_a_private_source_are_served_below_the_merged_mount(launch, internal):
    ours = internal.add_wheel("demo", "1.0")
    box = launch()
    (link,) = files(box).values()
    assert box.follow(PAGE, link).body == ours.content
    assert box.follow(PAGE, f"{link}.metadata").body == ours.metadata
    assert box.get("/internal/simple/demo/").status == 404


def test_a_path_without_its_source_is_looked_for_where_the_project_is(launch, public):
    theirs = public.add_wheel("demo", "1.0")
    box = launch()
    assert box.get(f"/all{theirs.path}").body == theirs.content
    assert box.get("/all/sources/nobody/packages/demo-1.0-py3-none-any.whl").status == 404
    assert box.get("/all/sources/public").status == 404


@pytest.mark.parametrize("fault", ["down", Status(500), Status(403)])
def test_a_source_that_fails_is_never_passed_over(launch, internal, public, fault):
    public.add_wheel("demo", "9.9")
    internal.go_down() if fault == "down" else internal.fault("*", fault)
    box = launch()
    assert get_json(box).status == 502
    assert public.requests == []


def test_the_first_sources_stale_page_still_wins(launch, internal, public):
    ours = internal.add_wheel("demo", "1.0")
    public.add_wheel("demo", "9.9")
    box = launch()
    files(box)
    internal.go_down()
    box.clock.advance(3600)
    assert get_json(box)["x-cache2"] == "STALE"
    assert set(files(box)) == {ours.filename}


def test_a_remembered_404_stands_for_a_source_in_trouble_and_the_answer_is_stale(launch, internal, public):
    public.add_wheel("demo", "9.9")
    box = launch()
    assert get_json(box)["x-cache2"] == "MISS"
    internal.go_down()
    box.clock.advance(120)
    answer = get_json(box)
    assert (answer.status, answer["x-cache2"]) == (200, "STALE")
    assert answer["cache-control"] == "max-age=0, public"
    internal.come_back()
    internal.clear()
    internal.fault("*", Delay(20))
    assert get_json(box).status == 200  # within the back-off nobody asks, so nobody waits
    assert internal.requests == []
    internal.heal()
    box.clock.advance(10)
    assert get_json(box)["x-cache2"] == "HIT"
    assert internal.count("/simple/demo/") == 1


def test_a_merged_page_is_fresh_no_longer_than_the_404_that_it_rests_on(launch, internal, public):
    public.add_wheel("demo", "9.9")
    box = launch()
    assert get_json(box)["cache-control"] == "max-age=60, public"
    ours = internal.add_wheel("demo", "1.0")
    box.clock.advance(59)
    assert get_json(box)["cache-control"] == "max-age=1, public"
    box.clock.advance(2)
    assert set(files(box)) == {ours.filename}


def test_a_pinned_project_is_asked_of_its_source_alone(launch, internal, public):
    internal.add_wheel("demo", "1.0")
    theirs = public.add_wheel("demo", "9.9")
    box = launch('pins = { Demo = "public" }')
    assert set(files(box)) == {theirs.filename}
    assert internal.requests == []


@pytest.mark.parametrize("union", ['union = ["demo"]', 'union = "all"'])
def test_a_project_of_the_union_has_the_files_of_all_sources(launch, internal, public, union):
    ours = internal.add_wheel("demo", "1.0")
    shadowed = public.add_file("demo", ours.filename, b"other bytes")
    theirs = public.add_wheel("demo", "2.0")
    box = launch(union)
    found = files(box)
    assert set(found) == {ours.filename, theirs.filename}
    assert box.follow(PAGE, found[ours.filename]).body == ours.content != shadowed.content
    assert box.follow(PAGE, found[theirs.filename]).body == theirs.content
    page = json.loads(get_json(box).body)
    assert page["versions"] == ["1.0", "2.0"]
    assert "x-pypi-last-serial" not in get_json(box).headers
    coded = box.get(PAGE, Accept=SIMPLE_JSON, Accept_Encoding="gzip")
    assert json.loads(gzip.decompress(coded.body)) == page
    assert ours.filename in box.get(PAGE, Accept="text/html").body.decode()


def test_a_union_follows_each_of_its_sources(launch, internal, public):
    internal.add_wheel("demo", "1.0")
    box = launch('union = ["demo"]')
    assert len(files(box)) == 1
    public.add_wheel("demo", "2.0")
    box.clock.advance(301)
    assert len(files(box)) == 2


def test_a_union_fails_while_one_of_its_sources_fails(launch, internal, public):
    internal.add_wheel("demo", "1.0")
    public.go_down()
    assert get_json(launch('union = ["demo"]')).status == 502


def test_the_project_list_is_that_of_all_sources(launch, internal, public):
    internal.add_wheel("Own.Thing", "1.0")
    internal.add_wheel("demo", "1.0")
    public.add_wheel("demo", "2.0")
    public.add_wheel("zoo", "1.0")
    box = launch()
    listed = json.loads(get_json(box, "/all/simple/").body)
    assert [project["name"] for project in listed["projects"]] == ["demo", "Own.Thing", "zoo"]
    html = box.get("/all/simple/", Accept="text/html").body
    assert b'href="own-thing/"' in html
    public.add_wheel("later", "1.0")
    box.clock.advance(1801)
    listed = json.loads(get_json(box, "/all/simple/").body)
    assert "later" in [project["name"] for project in listed["projects"]]


def test_a_source_without_a_list_adds_nothing_to_it(launch, internal, public):
    public.add_wheel("demo", "2.0")
    internal.fault("/simple/", Status(404))
    box = launch()
    assert b"demo" in get_json(box, "/all/simple/").body
    public.fault("/simple/", Status(404))
    box.clock.advance(3600 * 24)
    assert get_json(box, "/all/simple/").status == 404


def test_the_json_api_is_that_of_the_source_that_has_the_project(launch, internal, public):
    internal.add_wheel("demo", "1.0")
    public.add_wheel("demo", "9.9")
    box = launch()
    document = json.loads(box.get("/all/pypi/demo/json").body)
    assert document["info"]["version"] == "1.0"
    (link,) = [file["url"] for file in document["urls"]]
    assert box.follow("/all/pypi/demo/json", link).status == 200
    internal.fault("/pypi/*", Status(404))
    box.clock.advance(3600)
    assert box.get("/all/pypi/demo/json").status == 404


def test_a_public_url_is_that_of_the_merged_mount(launch, public):
    theirs = public.add_wheel("demo", "9.9")
    box = launch('public_url = "https://cheese.example/all"')
    (link,) = files(box).values()
    assert link == f"https://cheese.example/all/sources/public{theirs.path}"
    (own,) = files(box, "/public/simple/demo/").values()
    assert own == f"../..{theirs.path}"


def test_a_merged_index_may_be_a_source(serve, internal, public, doubles):
    third = doubles()
    theirs = third.add_wheel("demo", "3.0")
    box = serve(f"""
        [[index]]
        name = "all"
        sources = ["inner", "third"]
        union = "all"
        [[index]]
        name = "inner"
        sources = ["internal", "public"]
        [[index]]
        name = "internal"
        upstream = "{internal.simple_url}"
        [[index]]
        name = "public"
        upstream = "{public.simple_url}"
        [[index]]
        name = "third"
        upstream = "{third.simple_url}"
    """)
    ours = public.add_wheel("demo", "1.0")
    found = files(box)
    assert set(found) == {ours.filename, theirs.filename}
    assert found[ours.filename].startswith("../../sources/inner/sources/public/packages/")
    for file in (ours, theirs):
        assert box.follow(PAGE, found[file.filename]).body == file.content
    assert b"demo" in get_json(box, "/all/simple/").body


def test_the_policies_of_a_source_hold_below_the_merged_mount(launch, public):
    kept = public.add_wheel("demo", "1.0", upload_time="2026-01-01T00:00:00Z")
    denied = public.add_wheel("demo", "2.0", upload_time="2026-02-01T00:00:00Z")
    box = launch()
    assert set(files(box)) == {kept.filename, denied.filename}
    dated = "/all/@2026-01-15/simple/demo/"
    ((name, link),) = files(box, dated).items()
    assert name == kept.filename
    assert box.follow(dated, link).body == kept.content
    assert box.get(f"/all/@2026-01-15/sources/public{denied.path}").status == 403


def test_what_a_source_withholds_is_withheld_by_the_merged_index_too(serve, public):
    kept = public.add_wheel("demo", "1.0")
    denied = public.add_wheel("demo", "2.0")
    box = serve(f"""
        [[index]]
        name = "all"
        sources = ["public"]
        [[index]]
        name = "public"
        mount = ""
        upstream = "{public.simple_url}"
        deny = ["demo>=2"]
    """)
    assert set(files(box)) == {kept.filename}
    for path in (f"/all/sources/public{denied.path}", f"/all{denied.path}"):
        assert box.get(path).status == 403
    assert "2.0" not in json.loads(box.get("/all/pypi/demo/json").body)["releases"]


def test_what_is_purged_of_a_source_is_fetched_again_below_the_merged_mount(launch, public):
    theirs = public.add_wheel("demo", "9.9")
    box = launch()
    (link,) = files(box).values()
    assert box.follow(PAGE, link).status == 200
    public.add_wheel("demo", "10.0")
    box.call(box.app._parts.management.operations.purge(PurgeRequest(project="demo", index="public")))
    assert len(files(box)) == 2
    assert box.follow(PAGE, link)["x-cache2"] == "MISS"
    assert public.count(theirs.path) == 2
