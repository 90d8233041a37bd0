"""What every page of the dashboard keeps to, and what hostile texts cannot do."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from cheesebox.errors import NotFound
from cheesebox.ports import Order
from cheesebox.web import models
from cheesebox.web.dashboard.asked import ProjectsAsked
from cheesebox.web.dashboard.pages import Pages
from cheesebox.web.dashboard.series import DAY, MONTH, WEEK
from tests.web.dashboard import staged
from tests.web.dashboard.markup import Page

NOW = staged.NOW
PAGES = Pages({"css": "style.css", "js": "script.js"})
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&amp;{{ 7 * 7 }}"


def home(window=DAY, **changes) -> str:
    seen = {
        "overview": staged.overview(),
        "history": staged.history(window.hours_back(NOW)),
        "window": window,
        "activity": staged.activity(),
        "highlights": staged.highlights(),
        "top": staged.projects(),
    }
    return PAGES.home(**{**seen, **changes})


def asked(search: str = "", offset: int = 0) -> ProjectsAsked:
    return ProjectsAsked(search, Order.USED, offset, 100)


def projects(search: str = "", offset: int = 0, next_offset: int | None = None) -> str:
    return PAGES.projects(models.Projects(staged.projects(), next_offset), asked(search, offset), NOW)


def project(name: str = "numpy", listings=None, *, can_purge: bool = True) -> str:
    listings = [staged.listing()] if listings is None else listings
    return PAGES.project(staged.project(name), listings, NOW, can_purge=can_purge)


def error() -> str:
    return PAGES.error(NotFound("nothing is cached of six"), "projects/six")


def overview_of_a_node(trouble: str = "", **changes) -> models.Overview:
    node = msgspec.structs.replace(staged.nodes(trouble), **changes)
    return msgspec.structs.replace(staged.overview(), nodes=node)


WHOLE = {
    "home": home(),
    "node": home(overview=overview_of_a_node("no answer in 2 s")),
    "week": home(WEEK),
    "month": home(MONTH),
    "projects": projects("num", 100, 200),
    "project": project(),
    "settings": PAGES.settings(staged.settings(), staged.overview()),
    "error": error(),
}
each_page = pytest.mark.parametrize("markup", WHOLE.values(), ids=list(WHOLE))


@each_page
def test_a_page_tells_its_language_its_title_and_its_width(markup):
    page = Page(markup)
    assert page.all("html")[0].get("lang") == "en"
    assert page.all("title")[0].text.endswith("cheesebox")
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))


@each_page
def test_headings_begin_with_one_first_and_leave_no_level_out(markup):
    levels = [int(heading.name[1]) for heading in Page(markup).all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@each_page
def test_ids_are_unique_and_what_refers_to_one_finds_it(markup):
    page = Page(markup)
    ids = [element.get("id") for element in page.elements if element.get("id")]
    assert len(ids) == len(set(ids))
    for element in page.elements:
        for reference in (element.get("aria-labelledby") or "").split():
            assert page.by_id(reference).text.strip()


@each_page
def test_every_picture_is_named_or_hidden(markup):
    for svg in Page(markup).all("svg"):
        named = svg.get("role") == "img" and svg.get("aria-labelledby")
        assert named or svg.get("aria-hidden") == "true"


@each_page
def test_every_field_has_a_label(markup):
    page = Page(markup)
    labelled = {label.get("for") for label in page.all("label")}
    for field in page.all("input", "select", "textarea"):
        inside = any(parent.name == "label" for parent in field.parents)
        assert inside or field.get("id") in labelled


@each_page
def test_progress_buttons_and_links_have_a_name(markup):
    page = Page(markup)
    assert all(element.get("aria-label") for element in page.all("progress"))
    assert all(element.text.strip() for element in page.all("a", "button", "summary"))


@each_page
def test_table_heads_tell_what_they_are_heads_of(markup):
    page = Page(markup)
    assert all(head.get("scope") for head in page.all("th"))


@each_page
def test_the_first_link_skips_to_the_content(markup):
    page = Page(markup)
    first = page.all("a")[0]
    assert first.get("href") == "#main"
    assert page.by_id("main").name == "main"


@each_page
def test_a_page_loads_its_own_assets_only_and_runs_nothing_inline(markup):
    page = Page(markup)
    sources = [each.get("src") for each in page.all("script", "img")]
    sources += [each.get("href") for each in page.all("link")]
    assert all(source.lstrip("./").startswith("assets/") or source.startswith("data:") for source in sources)
    for element in page.elements:
        assert "style" not in element.attributes
        assert not [name for name in element.attributes if name.startswith("on")]


@each_page
def test_all_links_are_relative_so_that_a_prefix_in_front_is_none_of_its_business(markup):
    for link in Page(markup).all("a", "form"):
        target = link.get("href") or link.get("action") or ""
        assert not target.startswith("/")
        assert "//" not in target


def test_the_current_page_is_marked():
    marked = [link.text for link in Page(WHOLE["projects"]).all("a") if link.get("aria-current") == "page"]
    assert marked == ["Projects"]


def hostile_home() -> str:
    bad_file = msgspec.structs.replace(
        staged.files()[0], key=f"pypi/packages/a/{HOSTILE}", filename=HOSTILE, index=HOSTILE
    )
    overview = staged.overview()
    host = msgspec.structs.replace(
        overview.upstreams[2], host=HOSTILE, last_error=HOSTILE, failures_in_a_row=9
    )
    return home(
        overview=msgspec.structs.replace(overview, upstreams=[host]),
        activity=models.Activity(
            [models.UnderWay(f"pypi/packages/{HOSTILE}", 1, 2, 1, 0)],
            [models.EventRow(NOW, HOSTILE, HOSTILE)],
        ),
        highlights=models.Highlights([bad_file], [bad_file], [models.KindRow(HOSTILE, HOSTILE, 1, 1)]),
        top=[models.ProjectRow(HOSTILE, 1, 1, 1, NOW, NOW)],
    )


def hostile_project() -> str:
    row = models.WithheldRow(HOSTILE, HOSTILE, NOW + 5)
    listing = msgspec.structs.replace(staged.listing(), status_reason=HOSTILE, withheld=[row])
    return project(HOSTILE, [listing])


@pytest.mark.parametrize(
    "markup",
    [
        hostile_home(),
        hostile_project(),
        projects(HOSTILE, 100, 200),
        PAGES.error(NotFound(HOSTILE), "projects/x"),
        PAGES.settings(
            models.SettingsDocument([models.SettingRow(HOSTILE, HOSTILE, HOSTILE, False, HOSTILE)]),
            staged.overview(),
        ),
    ],
    ids=["home", "project", "projects", "error", "settings"],
)
def test_what_others_wrote_stays_text(markup):
    page = Page(markup)
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert HOSTILE in page.all("html")[0].text


def test_a_download_of_unknown_size_has_no_false_progress():
    rows = [row for row in Page(WHOLE["home"]).all("progress") if "kubernetes" in row.get("aria-label")]
    assert [row.get("value") for row in rows] == [None]


def test_a_host_that_fails_is_told_first():
    main = Page(WHOLE["home"]).by_id("main")
    assert "wheels.example failed 6 times in a row: cannot connect" in main.text.split("Since the start")[0]


def test_an_offline_cache_says_so():
    overview = msgspec.structs.replace(staged.overview(), is_offline=True)
    assert "Offline: no upstream is asked" in PAGES.totals(overview)


def test_an_empty_cache_tells_what_to_do():
    empty = models.Highlights([], [], [])
    history = models.HistoryDocument(0, staged.sums(0, 0), [], [], [])
    text = Page(home(highlights=empty, top=[], history=history)).by_id("main").text
    assert "Nothing is stored yet" in text
    assert "Nothing was asked in this time." in text


def test_a_project_page_groups_files_by_version_newest_first():
    groups = [row.text for row in Page(project()).all("th") if row.get("scope") == "rowgroup"]
    assert [group.split()[0] for group in groups] == ["2.3.5", "2.3.4", "1.26.4"]


def test_a_project_page_tells_what_is_withheld_and_until_when():
    (details,) = [each for each in Page(project()).all("details") if "Withheld" in each.text]
    assert "numpy-2.4.0-cp312" in details.text
    assert "in 1 d" in details.text
    assert "files have to be 3d old" in details.text


def test_a_project_page_is_honest_about_what_is_not_known():
    text = Page(project(listings=[])).by_id("main").text
    assert "what is withheld of it, is not known" in text


def test_without_a_token_there_is_no_button_but_the_command():
    page = Page(project(can_purge=False))
    assert "cheesebox purge numpy" in page.by_id("main").text
    assert [button.text for button in page.all("button")] == ["Search"]


def test_a_purge_form_is_hidden_until_the_script_shows_it():
    (form,) = [form for form in Page(project()).all("form") if "data-purge" in form.attributes]
    assert "hidden" in form.attributes


def test_another_order_begins_at_the_first_part_and_keeps_the_search():
    assert asked("a&b", 100).link(order="hits") == "?search=a%26b&order=hits"
    assert asked("a", 100).link(offset=200) == "?search=a&order=used&offset=200"
    assert asked("a", 100).link(offset=0) == "?search=a&order=used"


def test_an_internal_error_tells_nothing_of_the_inside():
    from cheesebox.errors import StoreError

    assert "/secret/path" not in PAGES.error(StoreError("/secret/path is broken"), "")


def test_a_node_is_shown_with_its_engines_and_what_it_did_with_others():
    page = Page(PAGES.health(overview_of_a_node(HOSTILE, url=HOSTILE)))
    panel = page.by_id("nodes").parents[-1]
    assert "<script>" in panel.text  # as text
    assert not page.all("script")
    assert [row.text for row in page.all("tr") if row.get("data-key") == "storage"] == [
        "object storagefailing14"
    ]
    assert "412.0 GB of 500.0 GB" in panel.text
    other = Page(PAGES.health(overview_of_a_node(size=None, entries=None)))
    assert "kept by another node" in other.by_id("nodes").parents[-1].text
