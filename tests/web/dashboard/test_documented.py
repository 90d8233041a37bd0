"""What docs/dashboard.md says of pages and settings holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.web.dashboard.markup import Page

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "dashboard.md").read_text()


def test_every_page_that_is_named_is_there(box, pypi):
    pypi.add_wheel("six", "1.0")
    assert box.get("/pypi/simple/six/").status == 200
    pages = re.findall(r"^\| `(/-/[^`]*)`", TEXT, re.MULTILINE)
    assert len(pages) == 4
    assert {page: box.get(page.replace("NAME", "six")).status for page in pages} == dict.fromkeys(pages, 200)


def test_every_order_that_is_named_is_one(box):
    (orders,) = re.findall(r"`\?order=` by ([^|]*)\|", TEXT)
    for order in re.findall(r"`(\w+)`", orders):
        assert box.get(f"/-/projects?order={order}").status == 200


def test_the_setting_of_the_example_lets_a_project_be_purged(launch, pypi):
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    box = launch(**tomllib.loads(example))
    pypi.add_wheel("six", "1.0")
    assert box.get("/pypi/simple/six/").status == 200
    forms = Page(box.get("/-/projects/six").body.decode()).all("form")
    assert any("data-purge" in form.attributes for form in forms)


def test_the_screenshot_is_there_and_small():
    image = DOCS / "images" / "dashboard.webp"
    assert image.read_bytes()[8:12] == b"WEBP"
    assert image.stat().st_size < 150_000
