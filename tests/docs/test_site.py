"""The site builds without a warning, and loads nothing from anywhere else."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from tests.docs.examples import PAGES, ROOT

_LOADING = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src",),
    "audio": ("src",),
    "object": ("data",),
    "embed": ("src",),
    "form": ("action",),
}
_LINKS_THAT_LOAD = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "modulepreload",
    "preconnect",
    "dns-prefetch",
}
_ELSEWHERE = re.compile(r"(?:https?:)?//", re.IGNORECASE)


class Page(HTMLParser):
    """What a page of HTML loads, links to and can be linked at."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.ids = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        self.loads += [found[name] for name in _LOADING.get(tag, ()) if name in found]
        if tag == "link" and set(found.get("rel", "").split()) & _LINKS_THAT_LOAD:
            self.loads.append(found.get("href", ""))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])


def test_every_page_is_built_and_in_the_navigation(site):
    start = (site / "index.html").read_text()
    for page in PAGES:
        assert (site / page.with_suffix(".html").name).is_file()
        assert f'href="{page.with_suffix(".html").name}"' in start or page.name == "index.md"


def test_no_page_loads_anything_from_another_host(site):
    loads = {(path.name, url) for path in site.rglob("*.html") for url in Page(path).loads}
    assert loads
    assert {load for load in loads if _ELSEWHERE.match(load[1])} == set()


def test_no_style_loads_anything_from_another_host(site):
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert styles
    assert [
        url for url in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s]+)", styles) if _ELSEWHERE.match(url)
    ] == []


def test_the_search_has_its_words_as_a_script_that_needs_no_server(site):
    words = (site / "search" / "search_index.js").read_text()
    assert words.startswith("var __index = ")
    assert "CHEESEBOX_MAX_SIZE" in words


def test_links_lead_to_pages_and_headings_that_are_there(site):
    # What is shown for any path that is not there has to link from the root.
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    missing = set()
    for path, page in pages.items():
        for link in page.links:
            target, _, fragment = link.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            there = (path.parent / target).resolve() if target else path
            there = there / "index.html" if there.is_dir() else there
            if not there.is_file() or (fragment and there in pages and fragment not in pages[there].ids):
                missing.add((path.name, link))
    assert missing == set()


def test_no_list_is_lost_in_a_paragraph(site):
    # Python's Markdown wants an empty line before a list, and leaves the marks in the text without.
    for path in site.glob("*.html"):
        lost = re.findall(r"<p>(?:(?!</p>).)*?\n(?:- |\d+\. )", path.read_text(), re.DOTALL)
        assert lost == [], path.name


def test_the_readme_links_to_what_is_there():
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / "README.md").read_text()):
        assert (ROOT / link).exists(), link
