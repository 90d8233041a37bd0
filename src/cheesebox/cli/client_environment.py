"""The environment variables that send a package installer's requests to an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_POINTED = (
    "PIP_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",  # uv before 0.4.23
    "PDM_PYPI_URL",
    "PIPENV_PYPI_MIRROR",
    "POETRY_PYPI_MIRROR_URL",  # read by poetry-plugin-pypi-mirror; poetry alone has no such variable
)
_REMOVED = ("PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX")
_LOOPBACK = "127.0.0.1"


def client_environment(environ: Mapping[str, str], simple_url: str) -> dict[str, str]:
    """Give the environment of a command whose installers shall use the index at ``simple_url``.

    Loopback is taken out of the reach of a proxy, which could not connect to it.
    """
    kept = {name: value for name, value in environ.items() if name not in _REMOVED}
    upper, lower = environ.get("NO_PROXY", ""), environ.get("no_proxy", "")
    without_proxy = {"NO_PROXY": _with_loopback(upper or lower), "no_proxy": _with_loopback(lower or upper)}
    return kept | dict.fromkeys(_POINTED, simple_url) | without_proxy


def _with_loopback(hosts: str) -> str:
    if hosts.strip() == "*" or _LOOPBACK in [host.strip() for host in hosts.split(",")]:
        return hosts
    return f"{hosts},{_LOOPBACK}" if hosts else _LOOPBACK
