"""Blocks for Kubernetes, GitLab and others: well formed, and with names that the program knows."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
import yaml

from cheesebox.settings import describe
from cheesebox.settings_loading import load_settings
from tests.docs.examples import PAGES, ROOT, all_blocks

BLOCKS = all_blocks("yaml")


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_of_yaml_can_be_read(block):
    assert all(isinstance(document, dict) for document in yaml.safe_load_all(block.text))


def test_pods_are_led_to_the_service_of_the_manifest():
    [block] = [b for b in BLOCKS if "PIP_TRUSTED_HOST" in b.text and b.page == "places.md"]
    given = {each["name"]: each["value"] for each in yaml.safe_load(block.text)["env"]}
    manifest = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "cheesebox.yaml").read_text())
    [service] = [part for part in manifest if part["kind"] == "Service"]
    url = urlsplit(given["PIP_INDEX_URL"])
    assert given["UV_DEFAULT_INDEX"] == given["PIP_INDEX_URL"]
    assert url.hostname == given["PIP_TRUSTED_HOST"] == f"{service['metadata']['name']}.default.svc"
    assert url.port == service["spec"]["ports"][0]["port"]
    assert url.path == f"{load_settings(None, {}, {}).index.mount}/simple/"


def test_every_variable_on_a_page_is_known():
    known = {setting.variable for setting in describe()} | {
        "CHEESEBOX_CONFIG",
        "CHEESEBOX_",
        "CHEESEBOX_SERVICE_",
    }
    for page in [*PAGES, ROOT / "README.md"]:
        assert set(re.findall(r"CHEESEBOX_[A-Z_0-9]*", page.read_text())) <= known, page.name
