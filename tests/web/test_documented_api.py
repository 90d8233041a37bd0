"""The examples of the API's documentation, run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"^```console\n\$ (.*?)\n(.*?)\n```$", TEXT, re.MULTILINE)
TOKEN = "a-token-for-the-test"


@pytest.mark.parametrize(("command", "expected"), EXAMPLES)
def test_an_example_answers_as_it_says(launch, pypi, command, expected):
    wheel = pypi.add_wheel("demo", "1.0")
    box = launch(admin_token=TOKEN)
    box.get(f"/pypi{wheel.path}")
    line = command.replace("http://127.0.0.1:6283", box.url).replace("$CHEESEBOX_ADMIN_TOKEN", TOKEN)
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", *shlex.split(line)[1:]],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert re.fullmatch(".*".join(map(re.escape, expected.split("…"))), done.stdout), done.stdout


def test_every_path_is_documented(launch):
    described = json.loads(launch().get("/-/api/v1/openapi.json").body)["paths"]
    listed = re.findall(r"^\| `([^`?/]+(?:/\{project\})?)[^`]*`", TEXT, re.MULTILINE)
    assert {f"/{path}" for path in listed} == set(described)
