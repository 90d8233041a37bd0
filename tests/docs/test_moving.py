"""docs/moving.md names what stands in the configurations that people come from."""

from __future__ import annotations

import re

import pytest
from bench.peers.nginx import MAIN, SUPERSEDED

from tests.docs.examples import DOCS
from tests.web.running import run_app

TEXT = (DOCS / "moving.md").read_text()
NGINX = TEXT.partition("## From the nginx configuration")[2].partition("\n## ")[0]
WORDS = r"\b(?:proxy_[a-z_]+|sub_[a-z_]+|keys_zone|inactive|max_size|levels|keepalive|rewrite|add_header)\b"
NOT_OF_THE_CACHE = {"proxy_temp_path", "proxy_host"}
DIRECTIVES = sorted(set(re.findall(WORDS, MAIN + SUPERSEDED)) - NOT_OF_THE_CACHE)


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_every_directive_of_the_superseded_configuration_has_its_counterpart(directive):
    rows = [line.split(" | ")[0] for line in NGINX.splitlines() if line.startswith("| ")]
    assert any(directive in row for row in rows)


def test_a_path_of_a_lock_file_from_before_leads_to_the_file(pypi, tmp_path):
    wheel = pypi.add_wheel("demo", "1.0")
    with run_app(tmp_path / "cache", pypi.simple_url) as box:
        assert box.get(f"/pypi{wheel.path}").body == wheel.content
