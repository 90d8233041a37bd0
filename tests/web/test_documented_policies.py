"""The examples of the documentation, run."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
JSON = "application/vnd.pypi.simple.v1+json"


def example(document: str, language: str) -> str:
    text = (DOCS / document).read_text()
    [block] = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return block


@pytest.fixture
def policed(launch, pypi):
    """The clock stands at 2027-01-15T08:00:00Z."""
    for project in ("six", "ourlib", "leftpad"):
        pypi.add_wheel(project, "2.0", upload_time="2027-01-12T08:00:00.000000Z")
        pypi.add_wheel(project, "1.0", upload_time="2026-12-12T08:00:00.000000Z")
    pypi.add_sdist("ourlib", "2.0", upload_time="2027-01-12T08:00:00.000000Z")
    for version in ("1.0", "1.1"):
        pypi.add_wheel("evil", version, upload_time="2026-12-12T08:00:00.000000Z")
    return launch(**tomllib.loads(example("policies.md", "toml")))


def versions(box, project):
    return json.loads(box.get(f"/pypi/simple/{project}/", accept=JSON).body)["versions"]


def test_the_example_of_policies_does_what_it_says(policed):
    assert versions(policed, "six") == ["1.0"]
    assert versions(policed, "ourlib") == ["1.0", "2.0"]
    assert versions(policed, "leftpad") == []
    assert versions(policed, "evil") == ["1.1"]


def test_the_reasons_of_the_example_are_told(policed, pypi):
    told = {}
    for project in pypi._contents.projects.values():
        for file in project.files:
            answer = policed.get(f"/pypi{file.path}")
            if answer.status != 200:
                told[file.filename] = json.loads(answer.body)
    reasons = {name: problem["detail"].partition(" is withheld: ")[2] for name, problem in told.items()}
    assert reasons.pop("six-2.0-py3-none-any.whl")
    assert reasons == {
        "ourlib-2.0.tar.gz": "nothing is built here",
        "leftpad-1.0-py3-none-any.whl": "see ticket 7",
        "leftpad-2.0-py3-none-any.whl": "see ticket 7",
        "evil-1.0-py3-none-any.whl": "evil==1.0 is denied here",
    }
    assert told["six-2.0-py3-none-any.whl"] == json.loads(example("policies.md", "json"))


def test_the_example_of_time_travel_pins_the_plain_mount(launch, pypi):
    pypi.add_wheel("six", "1.0", upload_time="2026-01-31T23:59:59.000000Z")
    pypi.add_wheel("six", "2.0", upload_time="2026-02-01T00:00:00.000000Z")
    box = launch(**tomllib.loads(example("time-travel.md", "toml")))
    assert versions(box, "six") == ["1.0"]
    assert box.get("/pypi/simple/six/")["cache-control"] == "max-age=2592000, public"
