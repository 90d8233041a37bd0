"""The figures of `docs/scale.md` are those of the last simulation that was kept."""

from __future__ import annotations

import json

from bench.paths import DOCS
from bench.simulation.page import BLOCKS, LATEST, PLACE, filled, plots


def test_the_page_has_the_tables_of_the_kept_results():
    page = (DOCS / "scale.md").read_text()
    assert {place[2] for place in PLACE.finditer(page)} == set(BLOCKS)
    assert filled(page, json.loads(LATEST.read_text())) == page


def test_the_plots_are_those_of_the_kept_results():
    for name, svg in plots(json.loads(LATEST.read_text())).items():
        assert (DOCS / "scale" / f"{name}.svg").read_text() == svg


def test_the_kept_check_found_the_model_right():
    checked = json.loads(LATEST.read_text())["checked"]
    assert checked
    assert all(one["off_by"] <= 2 for one in checked)
