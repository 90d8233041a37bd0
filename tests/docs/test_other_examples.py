"""Blocks for Kubernetes, GitLab and others: well formed, and with names that the program knows."""

from __future__ import annotations

import re

import pytest
import yaml

from cheesebox.settings import describe, load_settings
from tests.docs.examples import PAGES, ROOT, all_blocks

BLOCKS = all_blocks("yaml")


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_of_yaml_can_be_read(block):
    assert all(isinstance(document, dict) for document in yaml.safe_load_all(block.text))


def test_the_parts_of_the_deployment_fit_together(tmp_path):
    [block] = [b for b in BLOCKS if "kind: Deployment" in b.text]
    parts = {part["kind"]: part for part in yaml.safe_load_all(block.text)}
    config = tmp_path / "cheesebox.toml"
    config.write_text(parts["ConfigMap"]["data"]["cheesebox.toml"])
    settings = load_settings(config, {}, {})
    pod = parts["Deployment"]["spec"]["template"]
    [container] = pod["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["args"][-1] == f"{mounts['settings']}/cheesebox.toml"
    assert str(settings.cache_dir).startswith(f"{mounts['cache']}/")
    assert container["ports"] == [{"containerPort": settings.port}]
    assert parts["Service"]["spec"]["selector"] == pod["metadata"]["labels"]
    assert parts["Service"]["spec"]["ports"][0]["targetPort"] == settings.port
    assert settings.host == "0.0.0.0"
    probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("readiness", "liveness")]
    assert probes == [{"path": path, "port": settings.port} for path in ("/-/ready", "/-/health")]
    assert pod["spec"]["terminationGracePeriodSeconds"] > settings.shutdown_grace


def test_every_variable_on_a_page_is_known():
    known = {setting.variable for setting in describe()} | {
        "CHEESEBOX_CONFIG",
        "CHEESEBOX_",
        "CHEESEBOX_SERVICE_",
    }
    for page in [*PAGES, ROOT / "README.md"]:
        assert set(re.findall(r"CHEESEBOX_[A-Z_0-9]*", page.read_text())) <= known, page.name
