"""The dashboard of the real application. The clock stands at 2027-01-15T08:00:00Z."""

from __future__ import annotations

import re

import pytest

from tests.fakes.faults import Hold, Status
from tests.web.dashboard.markup import Page
from tests.web.running import run_app

PAGES = ("", "?span=7d", "?span=35d", "projects", "settings")
FRAGMENTS = ("activity", "totals", "health", "history", "history?span=35d", "highlights")


def text_of(box, path: str) -> str:
    answer = box.get(f"/-/{path}")
    assert answer.status == 200
    return "".join(element.text for element in Page(answer.body.decode()).elements if not element.parents)


def path_of(file) -> str:
    return f"/pypi{file.path}"


@pytest.fixture
def used(box, pypi):
    """An application that has a page and a file of six, asked for twice."""
    file = pypi.add_wheel("six", "1.17.0", size_padding=20_000)
    for _ in range(2):
        assert box.get("/pypi/simple/six/").status == 200
        assert box.get(path_of(file)).status == 200
    box.call(written_down(box))
    return box


async def written_down(box) -> None:
    """Do now what is done every few seconds."""
    shelf = box.app._parts.shelf
    await shelf.blocking(shelf.catalogue.flush)
    await box.app._parts.note_counts()


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_cache_has_all_its_pages(box, path):
    assert box.get(f"/-/{path}").status == 200


@pytest.mark.parametrize("path", [*PAGES, "projects/six", *(f"fragments/{name}" for name in FRAGMENTS)])
def test_a_page_is_never_stored_and_may_run_and_load_its_own_only(used, path):
    answer = used.get(f"/-/{path}")
    assert answer.status == 200
    assert answer["content-type"] == "text/html; charset=utf-8"
    assert answer["cache-control"] == "no-store"
    assert answer["x-content-type-options"] == "nosniff"
    policy = dict(part.split(" ", 1) for part in answer["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer["content-security-policy"]


def test_assets_are_kept_for_good_under_a_name_of_their_content(box):
    names = re.findall(r'"(assets/[0-9a-f]{16}\.(?:css|js))"', box.get("/-/").body.decode())
    assert len(names) == 2
    for name in names:
        answer = box.get(f"/-/{name}")
        assert answer.status == 200
        assert "immutable" in answer["cache-control"]
    assert box.get("/-/assets/0000000000000000.css").status == 404
    assert box.get("/-/assets/../handler.py").status == 404


def test_head_has_the_same_fields_and_no_body(box):
    answer = box.head("/-/projects")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer["content-length"]) > 0


def test_pages_are_read_only(box):
    assert box.get("/-/", "POST").status == 405


def test_the_first_page_tells_what_was_answered_and_stored(used):
    text = text_of(used, "")
    assert "six-1.17.0-py3-none-any.whl" in text
    assert "2 hits" in text
    assert "50.0 %" in text
    assert "127.0.0.1" in text


def test_a_project_has_a_page_with_its_files_and_its_documents(used):
    text = text_of(used, "projects/six")
    assert "six-1.17.0-py3-none-any.whl" in text
    assert "pypi/simple/six.page" in text
    assert "1 file in 1 version" in text
    assert "nothing: this index has no rules" in text


def test_a_project_is_found_by_any_spelling(used):
    assert "six-1.17.0" in text_of(used, "projects/SIX")


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("projects/absent", 404, "Nothing is cached of absent."),
        ("projects/a%2Fb", 404, "Not Found"),
        ("projects/%3Cscript%3E", 404, "Not Found"),
        ("?span=8d", 400, "Span: one of 24h, 7d, 35d is allowed."),
        ("projects?order=size;--", 400, "Order: one of"),
        ("projects?offset=-1", 400, "Offset: a whole number"),
    ],
)
def test_what_is_not_there_is_told_on_a_page(box, path, status, says):
    answer = box.get(f"/-/{path}")
    assert answer.status == status
    assert says in Page(answer.body.decode()).by_id("main").text


def test_projects_are_searched_sorted_and_paged(box, pypi):
    names = [f"lib-{number:03d}" for number in range(103)]
    for name in (*names, "other"):
        pypi.add_wheel(name, "1.0", metadata=False)
        assert box.get(f"/pypi/simple/{name}/").status == 200
    found = re.compile(r"lib-\d{3}|other")
    first = Page(box.get("/-/projects?search=LIB&order=name").body.decode())
    assert found.findall(first.by_id("main").text) == names[:100]
    (following,) = [link.get("href") for link in first.all("a") if link.get("rel") == "next"]
    second = box.get(f"/-/{following}").body.decode()
    assert found.findall(Page(second).by_id("main").text) == names[100:]
    assert "No cached project has “zzz”" in text_of(box, "projects?search=zzz")


def test_withheld_files_are_told_with_the_time_of_their_release(launch, pypi):
    box = launch(min_age="3d")
    pypi.add_wheel("six", "1.0", upload_time="2026-12-01T08:00:00.000000Z")
    pypi.add_wheel("six", "2.0", upload_time="2027-01-14T08:00:00.000000Z")
    assert box.get("/pypi/simple/six/").status == 200
    answer = Page(box.get("/-/projects/six").body.decode())
    (details,) = [each for each in answer.all("details") if "Withheld" in each.text]
    assert "six-2.0-py3-none-any.whl" in details.text
    assert "six-1.0" not in details.text
    (release,) = [each for each in answer.all("time") if "in 2 d" in each.text]
    assert release.get("datetime") == "2027-01-17T08:00:00Z"
    assert "2 files in 2 versions" in answer.by_id("main").text


def test_looking_at_a_project_asks_no_upstream(used, pypi):
    before = pypi.count("*")
    used.clock.advance(10**6)
    text_of(used, "projects/six")
    assert pypi.count("*") == before


def test_downloads_under_way_are_shown_with_their_progress(box, pypi, gate):
    file = pypi.add_wheel("large", "1.0", size_padding=2_000_000)
    assert box.get("/pypi/simple/large/").status == 200
    pypi.fault("*/large-1.0*", Hold(gate, after=1_000_000))
    with box.begin(path_of(file)) as response:
        response.read(500_000)
        page = Page(box.get("/-/fragments/activity").body.decode())
        (progress,) = page.all("progress")
        assert progress.get("aria-label") == file.filename
        assert progress.get("max") == str(len(file.content))
        assert 0 < int(progress.get("value")) <= len(file.content)
        gate.release()
        response.read()
    assert "none under way" in box.get("/-/fragments/activity").body.decode()


def test_stale_answers_and_failing_hosts_are_told(used, pypi):
    pypi.fault("/simple/*", Status(503))
    for _ in range(4):
        used.clock.advance(3600)
        assert used.get("/pypi/simple/six/").status == 200
    assert "/pypi/simple/six/" in text_of(used, "fragments/activity")
    overview = text_of(used, "")
    assert "answered 503" in overview
    assert "failed" in overview


def test_history_survives_a_restart(tmp_path, pypi):
    pypi.add_wheel("six", "1.0")
    for _ in range(2):
        with run_app(tmp_path / "cache", pypi.simple_url) as box:
            for _ in range(5):
                assert box.get("/pypi/simple/six/").status == 200
    with run_app(tmp_path / "cache", pypi.simple_url) as box:
        page = Page(box.get("/-/").body.decode())
    assert page.by_id("ratio-desc").text.startswith("90.0 % of 10 answers came from the cache")


def test_many_viewers_cost_one_scan(used):
    def looked() -> int:
        return used.get("/-/fragments/highlights").status

    assert looked() == 200
    used.app._parts.management.operations._holdings.close()
    assert [looked() for _ in range(5)] == [200] * 5
    used.clock.advance(16)
    assert looked() == 503


def test_secrets_are_not_shown(launch):
    box = launch(admin_token="very-secret")
    assert "very-secret" not in text_of(box, "settings")
    assert "admin_token" in text_of(box, "settings")


def test_all_links_hold_below_a_prefix(launch):
    box = launch(root_path="/cheese")
    answer = box.get("/cheese/-/projects/absent")
    assert answer.status == 404
    links = [link.get("href") for link in Page(answer.body.decode()).all("a", "link")]
    assert all(link.startswith(("../", "#", "data:")) for link in links)
