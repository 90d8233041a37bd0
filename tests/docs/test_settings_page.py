"""docs/settings.md is what the program knows of its settings."""

from __future__ import annotations

import dataclasses
import re

from cheesebox.cli.settings_reference import settings_page
from cheesebox.setting_values import Unit
from cheesebox.settings import describe, describe_tables
from cheesebox.static_tables import KEYS, StaticSettings
from tests.docs.examples import DOCS, PAGES

PAGE = (DOCS / "settings.md").read_text()


def test_the_page_is_the_one_that_the_program_writes():
    assert settings_page() == PAGE, "python -m cheesebox.cli.settings_reference > docs/settings.md"


def test_every_setting_has_one_row_with_its_variable_and_option():
    rows = re.findall(r'^\| <a id="(\w+)"></a>`\w+`<br>(.*?) \|', PAGE, re.MULTILINE)
    flat = {s.name: s for s in describe()}
    tables = {s.name for s in describe_tables()}
    assert len(rows) == len(dict(rows))
    assert dict(rows).keys() == flat.keys() | tables
    for name, ways in rows:
        if name in flat:
            assert f"`{flat[name].variable}`" in ways
            assert (f"`{flat[name].option}`" in ways) is not flat[name].is_secret
        else:
            assert ways == "in tables only"


def test_the_keys_of_static_tables_are_those_of_the_model():
    assert [key.name for key in KEYS] == [field.name for field in dataclasses.fields(StaticSettings)]


def test_every_way_of_writing_a_value_is_explained():
    explained = PAGE.partition("## How values are written")[2]
    assert {unit for unit in Unit if f"\n| {unit.value} |" not in explained} == set()


def test_a_setting_that_a_page_links_to_exists():
    known = {s.name for s in (*describe(), *describe_tables())}
    linked = {name for page in PAGES for name in re.findall(r"settings\.md#(\w+)", page.read_text())}
    assert linked
    assert linked <= known


def test_defaults_told_elsewhere_are_those_of_the_program():
    """``[`name`](settings.md#name), 5 min`` on the page of caching."""
    defaults = {s.name: s.show(s.default) for s in (*describe(), *describe_tables())}
    told = re.findall(
        r"\[`(\w+)`\]\(settings\.md#\w+\), (\d+) (min|s|d|GB)\b", (DOCS / "caching.md").read_text()
    )
    assert len(told) > 8
    for name, number, unit in told:
        written = {"min": "m"}.get(unit, unit)
        assert f"{number}{written}" in (defaults[name], {"1m": "60s"}.get(defaults[name]))
