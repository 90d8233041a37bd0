"""The site as Chromium reads it from files: it can be searched, and asks nobody."""

from __future__ import annotations

import os
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

LOADED = 30_000  # milliseconds in which a busy machine reads the words of all pages


@pytest.fixture(scope="module")
def browser():
    """The system's Chromium."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        message = "Chromium is not installed (Debian: apt-get install chromium): the search was not tried"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return program


def test_the_search_finds_a_setting_without_a_server(site, browser):
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # the sandbox refuses to run as root
    told, asked = [], []
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=browser, args=arguments) as chromium,
        chromium.new_context() as context,
    ):
        page = context.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "start.html").as_uri())
        words = page.locator("input.md-search__input")
        words.click()
        ready = page.locator(".md-search-result__meta")
        expect(ready).to_have_text("Type to start searching", timeout=LOADED)
        words.press_sequentially("CHEESEBOX_KEEP_ALIVE")
        result = page.locator(".md-search-result__link").first
        expect(result).to_contain_text("Settings", timeout=LOADED)
        result.click()
        expect(page).to_have_title("Settings - cheesebox")
    assert told == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
