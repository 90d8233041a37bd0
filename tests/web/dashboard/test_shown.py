"""What is judged and grouped before it is written."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.web import models
from cheesebox.web.dashboard import shown
from tests.web.dashboard import staged


@pytest.mark.parametrize(
    ("in_a_row", "succeeded_at", "state"),
    [
        (0, 5.0, "well"),
        (1, 5.0, "unsteady"),
        (2, 0.0, "unsteady"),
        (3, 5.0, "failing"),
        (0, 0.0, "not asked"),
    ],
)
def test_a_host_has_one_word_for_how_it_fares(in_a_row, succeeded_at, state):
    host = models.Host("a", 9, 9, in_a_row, 0, 0.0, succeeded_at, 0.0, "")
    assert shown.state_of(host) == state


@given(*[st.integers(0, 10**15)] * 4)
def test_the_parts_of_the_storage_never_exceed_it(size, most, reserved, free):
    fill = shown.fill_of(models.Storage(size, most, 1, 0, reserved, free, 0, 0, 0))
    assert fill.stored >= 0
    assert fill.reserved >= 0
    assert fill.stored + fill.reserved <= 100.01


def test_a_full_disk_is_told():
    overview = staged.overview()
    storage = msgspec.structs.replace(overview.storage, free=10, min_free=1000)
    texts = [alert.text for alert in shown.alerts(msgspec.structs.replace(overview, storage=storage))]
    assert any(text.startswith("The disk is nearly full: 10 B left") for text in texts)


def test_an_engine_that_fails_is_told():
    overview = msgspec.structs.replace(staged.overview(), nodes=staged.nodes("no answer in 2 s"))
    (alert,) = [each for each in shown.alerts(overview) if "object storage" in each.text]
    assert alert == shown.Alert(
        "bad", "The object storage fails, this node goes on by itself: no answer in 2 s"
    )
    well = msgspec.structs.replace(overview, nodes=staged.nodes())
    assert alert not in shown.alerts(well)


def test_metadata_without_its_file_is_shown_as_that():
    whole = staged.project()
    alone = models.Project("numpy", [each for each in whole.objects if each.kind == "metadata"])
    (held,) = shown.held(alone, [])
    rows = [row for release in held.releases for row in release.files]
    assert len(rows) == 5
    assert all(row.file is None and row.metadata is not None for row in rows)


def test_a_cached_file_that_became_withheld_is_marked():
    name = staged.project().objects[0].filename
    row = models.WithheldRow(name, "denied", None)
    (held,) = shown.held(staged.project(), [msgspec.structs.replace(staged.listing(), withheld=[row])])
    marked = [row.name for release in held.releases for row in release.files if row.withheld]
    assert marked == [name]


def test_an_index_that_only_lists_a_project_is_shown_too():
    (held,) = shown.held(models.Project("numpy", []), [staged.listing()])
    assert held.index == "pypi"
    assert held.releases == []


def test_versions_are_in_the_order_of_versions_not_of_letters():
    assert shown.versions_of(staged.project()) == ["2.3.5", "2.3.4", "1.26.4"]
