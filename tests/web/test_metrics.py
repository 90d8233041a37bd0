"""The metrics over HTTP."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from tests.server.test_hot_lane import LAST, request, two_lanes
from tests.web.nodes import shared_engines

DOCS = Path(__file__).resolve().parents[2] / "docs"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def scrape(box):
    text = box.get("/-/metrics").body.decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in prometheus(text)
        for sample in family.samples
    }


def families(box):
    """Give type and help by the name that samples have (that of the family for a histogram)."""
    return {
        family.name + ("_total" if family.type == "counter" else ""): family
        for family in prometheus(box.get("/-/metrics").body.decode())
    }


@pytest.fixture
def wheel(pypi):
    return pypi.add_wheel("demo", "1.0")


def test_answers_are_counted_by_index_kind_and_cache_status(box, wheel):
    for _ in range(3):
        box.get(f"/pypi{wheel.path}")
    box.get("/pypi/simple/absent/")
    seen = scrape(box)
    assert seen["cheesebox_requests_total", "MISS", "file", "pypi"] == 1
    assert seen["cheesebox_requests_total", "HIT", "file", "pypi"] == 2
    assert seen["cheesebox_sent_bytes_total", "HIT", "file", "pypi"] == 2 * len(wheel.content)
    assert seen["cheesebox_responses_total", "200"] == 3
    assert seen["cheesebox_responses_total", "404"] == 1


def test_upstreams_are_counted_by_host_and_by_index(box, pypi, wheel):
    box.get(f"/pypi{wheel.path}")
    host = pypi.simple_url.split("/")[2]
    seen = scrape(box)
    asked = seen["cheesebox_upstream_requests_total", host]
    assert asked == seen["cheesebox_fetches_total", "answered", "pypi"] == 2
    assert asked == seen["cheesebox_upstream_latency_seconds_count", host]
    assert seen["cheesebox_upstream_received_bytes_total", host] >= len(wheel.content)
    assert seen["cheesebox_upstream_latency_seconds_bucket", "+Inf", host] >= 1
    pypi.go_down()
    box.get("/pypi/simple/other/")
    seen = scrape(box)
    assert seen["cheesebox_upstream_failures_total", host] >= 1
    assert seen["cheesebox_upstream_failures_in_a_row", host] >= 1
    assert seen["cheesebox_fetches_total", "failed", "pypi"] >= 1


def test_what_is_stored_is_told_against_its_limits(launch, wheel):
    box = launch(max_size="1MB", max_entries="7")
    box.get(f"/pypi{wheel.path}")
    seen = scrape(box)
    assert seen["cheesebox_stored_bytes",] >= len(wheel.content)
    assert (seen["cheesebox_stored_entries",], seen["cheesebox_stored_max_entries",]) == (2, 7)
    assert seen["cheesebox_stored_max_bytes",] == 1_000_000
    assert seen["cheesebox_disk_free_bytes",] > 0
    assert seen["cheesebox_reserved_bytes",] == seen["cheesebox_downloads",] == 0
    assert seen["cheesebox_offline",] == 0
    assert seen["process_resident_memory_bytes",] > 1_000_000


def test_evictions_are_counted(launch, pypi):
    box = launch(max_entries="2")
    for name in ("a", "b", "c"):
        pypi.add_wheel(name, "1.0")
        assert box.get(f"/pypi/simple/{name}/").status == 200
    seen = scrape(box)
    assert seen["cheesebox_evicted_entries_total",] == 1
    assert seen["cheesebox_evicted_bytes_total",] > 0


def test_offline_is_told(launch):
    assert scrape(launch(offline="true"))["cheesebox_offline",] == 1


def test_answers_of_the_lane_are_counted_with_their_status(tmp_path, pypi):
    pypi.add_wheel("demo", "1.0")
    page = request("GET", "/pypi/simple/demo/", [])
    with two_lanes(tmp_path, pypi.simple_url) as both:
        head = both.ask_lane(page + page + LAST)
        etag = re.search(rb"etag: (.*?)\r\n", head)[1].decode()
        known = request("GET", "/pypi/simple/demo/", [("If-None-Match", etag)])
        before = scrape(both.running)
        both.ask_lane(page * 2 + known * 3 + LAST)
        after = scrape(both.running)
    hits = ("cheesebox_requests_total", "HIT", "page", "pypi")
    assert after[hits] - before[hits] == 5
    assert after["cheesebox_responses_total", "304"] == 3
    # Two pages, one health check, and the first scrape, which is counted after its answer.
    assert after["cheesebox_responses_total", "200"] - before["cheesebox_responses_total", "200"] == 4


def test_two_applications_in_one_process_see_nothing_of_each_other(launch, wheel):
    one, other = launch(), launch()
    one.get(f"/pypi{wheel.path}")
    assert scrape(one)["cheesebox_stored_entries",] == 2
    assert scrape(other)["cheesebox_stored_entries",] == 0
    assert not [key for key in scrape(other) if key[0] == "cheesebox_fetches_total"]


@pytest.mark.parametrize(
    ("accept", "expected", "parse"),
    [
        ("", "text/plain; version=0.0.4", prometheus),
        ("*/*", "text/plain; version=0.0.4", prometheus),
        (OPENMETRICS, OPENMETRICS, openmetrics),
        ("text/plain; version=strange", "text/plain", prometheus),
        ("application/openmetrics-text; version=x", OPENMETRICS, openmetrics),
        (f"{OPENMETRICS}; escaping=odd;;=, x", "application/openmetrics-text", openmetrics),
    ],
)
def test_the_format_is_negotiated_and_can_be_parsed(box, wheel, accept, expected, parse):
    box.get(f"/pypi{wheel.path}")
    answer = box.get("/-/metrics", accept=accept)
    assert answer.status == 200
    assert answer["content-type"].startswith(expected)
    names = {family.name for family in parse(answer.body.decode())}
    assert {"cheesebox_requests", "cheesebox_stored_bytes", "process_open_fds"} <= names


def test_names_follow_the_conventions(box):
    units = {"bytes", "seconds"}
    for name, family in families(box).items():
        assert re.fullmatch(r"(cheesebox|process)_[a-z_]+", name), name
        assert family.documentation
        words = set(re.split("_", name.removesuffix("_total")))
        assert not words & {"ms", "milliseconds", "kb", "mb", "size"}, name
        assert name.endswith("_total") == (family.type == "counter"), name
        if words & units:
            assert name.removesuffix("_total").rpartition("_")[2] in units, name


# ── documentation


def documented():
    text = (DOCS / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", text, re.MULTILINE)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_every_metric_is_documented_with_its_type_and_labels(tmp_path, pypi, wheel):
    in_code = {}
    with shared_engines(tmp_path, pypi.simple_url) as engines:
        box = engines.node()
        box.get(f"/pypi{wheel.path}")
        for name, family in families(box).items():
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            in_code[name] = (family.type, labels)
    assert documented() == in_code


def expressions():
    dashboard = json.loads((DOCS / "grafana" / "cheesebox.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def test_the_dashboard_asks_for_existing_metrics_and_labels_alone():
    known = documented()
    samples = {f"{name}{suffix}" for name, (kind, _) in known.items() for suffix in suffixes(kind)}
    found = list(expressions())
    assert len(found) > 10
    for expression in found:
        names = set(re.findall(r"\b(?:cheesebox|process)_\w+", expression))
        assert names, expression
        assert names <= samples, expression
        labels = {"le", "job", "instance"}.union(*(labels for _, labels in known.values()))
        grouped = re.findall(r"by \(([^)]*)\)", expression)
        assert {label.strip() for group in grouped for label in group.split(",")} <= labels
        matched = re.findall(r"[{,]\s*(\w+)\s*(?:=~|!=|=|!~)", expression)
        assert set(matched) <= labels, expression


def suffixes(kind):
    return {"histogram": ("_bucket", "_sum", "_count")}.get(kind, ("",))


def test_the_dashboard_can_be_imported():
    dashboard = json.loads((DOCS / "grafana" / "cheesebox.json").read_text())
    assert dashboard["title"] == "cheesebox"
    assert dashboard["id"] is None
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)
    sources = {panel["datasource"]["uid"] for panel in dashboard["panels"] if "datasource" in panel}
    assert sources == {"${datasource}"}
