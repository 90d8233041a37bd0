"""The examples of docs/mounting.md, run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_mounting import browsing, served

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "mounting.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("number", "mount"), [(0, "/pypi"), (1, "/tools/pypi")])
async def test_the_examples_of_mounting_do_what_they_say(tmp_path, number, mount):
    names: dict[str, object] = {}
    exec(EXAMPLES[number].replace("/var/cache", str(tmp_path)), names)
    async with served(names["app"]) as root, browsing(root) as session:
        assert names["cache"]._app.is_started
        async with session.get(f"{mount}/-/ready") as answer:
            assert await answer.text() == "ready\n"
        async with session.get(f"{mount}/simple", allow_redirects=False) as answer:
            assert answer.headers["location"] == "simple/"
    assert not names["cache"]._app.is_started
