"""Snippets for what installs packages; each a pure function of the address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.cli import pip_conf, uv_toml

if TYPE_CHECKING:
    from cheesebox.cli.config.address import Address


def pip(address: Address) -> str:
    """Write a ``pip.conf``."""
    return pip_conf.with_index("", address.simple_url, address.trusted_host)


def uv(address: Address) -> str:
    """Write a ``uv.toml``."""
    return uv_toml.with_default_index("", address.simple_url)


def poetry(address: Address) -> str:
    """Write the command that adds the source, and what it makes of a ``pyproject.toml``."""
    return f"""\
# In each project:  poetry source add --priority=primary cheesebox {address.simple_url}
# It writes into pyproject.toml:
[[tool.poetry.source]]
name = "cheesebox"
url = "{address.simple_url}"
priority = "primary"
"""


def pdm(address: Address) -> str:
    """Write a source for a ``pyproject.toml``; the name makes it take the place of the public index."""
    return f"""\
# For all projects of this user:  pdm config pypi.url {address.simple_url}
# For one project, in its pyproject.toml:
[[tool.pdm.source]]
name = "pypi"
url = "{address.simple_url}"
verify_ssl = true
"""


def docker(address: Address) -> str:
    """Write a Dockerfile whose build takes packages from the cache, and whose image does not know of it."""
    network = "--network=host " if address.is_loopback else ""
    why = "  (--network=host: loopback is this machine's)" if network else ""
    trusted = f"ARG PIP_TRUSTED_HOST={address.trusted_host}\n" if address.trusted_host else ""
    return f"""\
# syntax=docker/dockerfile:1
# Build with:  docker build {network}.{why}
# Elsewhere:   docker build --build-arg PIP_INDEX_URL=https://pypi.example/simple/ .
FROM python:3.13-slim

# ARG and not ENV: what is built with the cache must run without it. Every RUN below sees the values.
ARG PIP_INDEX_URL={address.simple_url}
ARG UV_DEFAULT_INDEX=${{PIP_INDEX_URL}}
{trusted}
COPY requirements.txt .
# No cache of pip's own in the image; a cache mount keeps built wheels from build to build.
RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt
"""


def github_actions(address: Address) -> str:
    """Write a workflow: with the shared cache where runners reach it, else with one of each job's own."""
    return _own_cache() if address.is_loopback else _shared_cache(address)


def _shared_cache(address: Address) -> str:
    trusted = f"      PIP_TRUSTED_HOST: {address.trusted_host}\n" if address.trusted_host else ""
    return f"""\
# .github/workflows/test.yml, for runners that reach {address.host}
on: [push, pull_request]
jobs:
  test:
    runs-on: self-hosted
    env:
      PIP_INDEX_URL: {address.simple_url}
      UV_DEFAULT_INDEX: {address.simple_url}
{trusted}\
    steps:
      - uses: actions/checkout@v4
      - run: pip install -r requirements.txt
"""


def _own_cache() -> str:
    return """\
# .github/workflows/test.yml: each job has a cheesebox of its own, kept from run to run by actions/cache.
# For a shared one that your runners reach: cheesebox config github-actions --url https://pypi.example/pypi/
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - uses: actions/cache@v4
        with:
          path: ~/.cache/cheesebox
          key: cheesebox-${{ runner.os }}-${{ hashFiles('**/requirements*.txt', '**/*.lock') }}
          restore-keys: cheesebox-${{ runner.os }}-
      - run: pip install cheesebox
      - run: cheesebox run --max-size 2GB -- pip install -r requirements.txt
"""
