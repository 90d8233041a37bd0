"""What the snippets say; whether the tools understand them is shown in tests/clients/test_config.py."""

import configparser
import tomllib

import pytest
import yaml

from cheesebox.cli.config import clients
from cheesebox.cli.config.address import Address

LOCAL = Address("http://127.0.0.1:6283/pypi")
PLAIN = Address("http://box.example:6283/pypi")
SECURE = Address("https://www.example/mirror")
ADDRESSES = [LOCAL, PLAIN, SECURE]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_snippet_names_the_index_and_nothing_of_the_public_one(address):
    for snippet in (clients.pip, clients.uv, clients.poetry, clients.pdm, clients.docker):
        text = snippet(address)
        assert address.simple_url in text
        assert "pypi.org" not in text
        assert text.endswith("\n")
        assert not text.startswith("\n")


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_host_is_trusted_only_where_it_must_be(address):
    parser = configparser.RawConfigParser()
    parser.read_string(clients.pip(address))
    expected = {"index-url": address.simple_url}
    if address is PLAIN:
        expected["trusted-host"] = "box.example:6283"
    assert dict(parser["global"]) == expected
    for snippet in (clients.docker, clients.github_actions):
        assert ("PIP_TRUSTED_HOST" in snippet(address)) is (address is PLAIN)


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_sources_of_projects_are_toml(address):
    poetry = tomllib.loads(clients.poetry(address))["tool"]["poetry"]["source"]
    pdm = tomllib.loads(clients.pdm(address))["tool"]["pdm"]["source"]
    assert poetry == [{"name": "cheesebox", "url": address.simple_url, "priority": "primary"}]
    assert pdm == [{"name": "pypi", "url": address.simple_url, "verify_ssl": True}]


def test_a_build_reaches_loopback_by_the_host_s_network():
    assert "docker build --network=host ." in clients.docker(LOCAL)
    assert "--network=host" not in clients.docker(SECURE)


def test_the_image_does_not_know_of_the_cache():
    assert not [line for line in clients.docker(PLAIN).splitlines() if line.startswith("ENV")]


@pytest.mark.parametrize("address", [PLAIN, SECURE])
def test_a_workflow_uses_the_shared_cache_where_it_can_be_reached(address):
    job = yaml.safe_load(clients.github_actions(address))["jobs"]["test"]
    assert job["env"]["PIP_INDEX_URL"] == job["env"]["UV_DEFAULT_INDEX"] == address.simple_url


def test_a_workflow_brings_a_cache_of_its_own_where_there_is_no_shared_one():
    job = yaml.safe_load(clients.github_actions(LOCAL))["jobs"]["test"]
    kept = next(step["with"] for step in job["steps"] if "cache" in step.get("uses", ""))
    assert kept["path"] == "~/.cache/cheesebox"
    assert job["steps"][-1]["run"].startswith("cheesebox run ")
