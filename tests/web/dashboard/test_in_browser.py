"""The dashboard as Chromium shows it: nothing in its console, nothing from elsewhere, keys, live updates."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.fakes.faults import Hold
from tests.web.nodes import shared_engines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.web.running import Running

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
PAGES = ("", "projects", "projects/six", "settings", "projects/absent")
TOKEN = "let-me-in"


@pytest.fixture(scope="module")
def browser() -> str:
    """The system's Chromium."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        message = "Chromium is not installed (Debian: apt-get install chromium): the dashboard was not tried"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return program


@contextmanager
def opened(program: str, box: Running, *expected: str, **options: object) -> Iterator[Page]:
    """Open an empty page; what it asks of others, or tells unexpectedly in its console, fails the test.

    The browser ends with the page: the driver has an event loop that must not meet those of the fixtures.
    """
    # Chromium's own sandbox refuses to run as root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    settings = {"base_url": f"{box.url}/-/", "viewport": DESKTOP, **options}
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=arguments) as browser,
        browser.new_context(**settings) as context,
    ):
        page = context.new_page()
        told: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        yield page
        assert [line for line in told if not any(text in line for text in expected)] == []
        assert [url for url in asked if not url.startswith((box.url, "data:"))] == []


@pytest.fixture
def used(launch, pypi) -> Running:
    """An application that has a page and a file of six and of attrs."""
    box = launch(admin_token=TOKEN)
    for name in ("six", "attrs"):
        file = pypi.add_wheel(name, "1.0", size_padding=20_000)
        assert box.get(f"/pypi/simple/{name}/").status == 200
        assert box.get(f"/pypi{file.path}").status == 200
    return box


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_page_fits_and_its_console_is_quiet(browser, used, viewport, scheme):
    with opened(browser, used, "404 (Not Found)", viewport=viewport, color_scheme=scheme) as page:
        for path in PAGES:
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path


def test_the_dark_scheme_is_dark(browser, used):
    grounds = []
    for scheme in ("light", "dark"):
        with opened(browser, used, color_scheme=scheme) as page:
            page.goto("")
            grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(20, 23, 26)"]


def test_a_new_download_is_shown_without_a_reload(browser, used, pypi, gate):
    file = pypi.add_wheel("large", "1.0", size_padding=2_000_000)
    assert used.get("/pypi/simple/large/").status == 200
    pypi.fault("*/large-1.0*", Hold(gate, after=1_000_000))
    with opened(browser, used) as page:
        page.goto("")
        page.evaluate("window.loadedOnce = true")
        expect(page.locator("progress")).to_have_count(0)
        with used.begin(f"/pypi{file.path}") as response:
            expect(page.get_by_role("progressbar", name=file.filename)).to_be_visible(timeout=10_000)
            expect(page.get_by_text("1 file under way")).to_be_visible()
            gate.release()
            response.read()
        expect(page.get_by_text("none under way")).to_be_visible(timeout=10_000)
        assert page.evaluate("window.loadedOnce")


def test_updates_keep_the_focus_the_place_and_what_is_open(browser, used):
    with opened(browser, used, viewport=PHONE) as page:
        page.clock.install()
        page.goto("")
        page.get_by_text("The same as a table").click()
        link = page.get_by_role("link", name="attrs", exact=True).first
        link.focus()
        place = page.evaluate("scrollY")
        assert used.get("/pypi/simple/attrs/").status == 200
        used.clock.advance(60)
        with page.expect_response("**/fragments/highlights"), page.expect_response("**/fragments/history*"):
            page.clock.run_for(16_000)
        expect(page.get_by_text("1 min ago").first).to_be_visible()
        expect(link).to_be_focused()
        assert page.evaluate("scrollY") == place
        assert page.locator("details[data-key=table]").get_attribute("open") is not None


def test_a_hidden_page_asks_nothing_and_catches_up_when_it_is_seen(browser, used):
    with opened(browser, used) as page:
        page.clock.install()
        page.goto("")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.evaluate(
            "Object.defineProperty(document, 'hidden', { get: () => window.covered, configurable: true })"
        )
        page.evaluate("window.covered = true")
        page.clock.run_for(60_000)
        assert asked == []
        with page.expect_response("**/fragments/activity"):
            page.evaluate("window.covered = false; document.dispatchEvent(new Event('visibilitychange'))")


def test_a_server_that_is_gone_is_told_and_its_return_too(browser, used):
    with opened(browser, used, "503 (Service Unavailable)") as page:
        page.clock.install()
        page.goto("")
        page.route("**/fragments/**", lambda route: route.fulfill(status=503, body=""))
        page.clock.run_for(2_500)
        expect(page.get_by_role("status").filter(has_text="out of date")).to_be_visible()
        page.unroute("**/fragments/**")
        page.clock.run_for(2_500)
        expect(page.locator("#live")).to_have_text("Live")


def test_the_keyboard_reaches_content_search_and_a_project(browser, used):
    with opened(browser, used) as page:
        page.goto("")
        page.keyboard.press("Tab")
        assert focused(page) == "Skip to content"
        expect(page.get_by_text("Skip to content")).to_be_in_viewport()
        order = []
        for _ in range(6):
            page.keyboard.press("Tab")
            order.append(focused(page))
        assert order == ["cheesebox", "Overview", "Projects", "Settings", "search", "Search"]
        page.keyboard.press("Shift+Tab")
        page.keyboard.type("att")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("with “att” in their name")
        expect(page.get_by_role("searchbox")).to_have_value("att")
        page.get_by_role("link", name="attrs").press("Enter")
        expect(page).to_have_title("attrs · cheesebox")


def test_the_skip_link_leads_past_the_head(browser, used):
    with opened(browser, used) as page:
        page.goto("")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert focused(page) == "main"


def test_a_purge_needs_the_token_and_tells_what_was_removed(browser, used):
    with opened(browser, used) as page:
        page.goto("projects/six")
        page.get_by_label("Admin token").fill(TOKEN)
        page.get_by_role("button", name="Purge six").click()
        expect(page.get_by_text("Removed 2 objects")).to_be_visible()
        page.goto("projects/attrs")
        expect(page.get_by_label("Admin token")).to_have_value(TOKEN)
    assert used.get("/-/projects/six").status == 404


def test_a_wrong_token_is_told_and_removes_nothing(browser, used):
    with opened(browser, used, "401 (Unauthorized)") as page:
        page.goto("projects/six")
        page.get_by_label("Admin token").fill("wrong")
        page.get_by_role("button", name="Purge six").click()
        expect(page.get_by_text("this needs the admin token")).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0
    assert used.get("/-/projects/six").status == 200


def test_without_scripts_a_page_is_whole(browser, used):
    with opened(browser, used, java_script_enabled=False) as page:
        page.goto("")
        expect(page.get_by_role("img", name="Hit ratio")).to_be_visible()
        expect(page.get_by_role("link", name="six", exact=True).first).to_be_visible()
        page.goto("projects/six")
        expect(page.get_by_text("cheesebox purge six")).to_be_visible()
        expect(page.get_by_label("Admin token")).to_have_count(1)
        expect(page.get_by_label("Admin token")).to_be_hidden()


def test_a_screen_reader_finds_landmarks_and_plots(browser, used):
    with opened(browser, used) as page:
        page.goto("")
        for role in ("banner", "navigation", "search", "main", "contentinfo"):
            expect(page.get_by_role(role)).to_have_count(1)
        expect(page.get_by_role("img", name="Bytes saved")).to_have_count(1)
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_an_engine_that_fails_is_told_without_a_reload_and_fits_a_phone(browser, tmp_path, pypi):
    with shared_engines(tmp_path, pypi.simple_url) as engines:
        box = engines.node()
        with opened(browser, box, viewport=PHONE) as page:
            page.goto("")
            row = page.locator("tr[data-key=register] .state")
            expect(row).to_have_text("well")
            engines.valkey.kill()
            box.get("/pypi/simple/absent/")
            expect(row).to_have_text("failing", timeout=30_000)
            expect(page.locator(".alert.bad")).to_contain_text("The register fails")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
