"""Registers to test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engines.valkey import ValkeyServer, valkey_server

from .registers import MemoryPlace, ServerPlace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .registers import Place


@pytest.fixture(scope="session")
def shared_server() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def server_place(shared_server: ValkeyServer) -> ServerPlace:
    """A fresh namespace; a server that the test before ended is started again."""
    shared_server.ensure_running()
    return ServerPlace(shared_server)


@pytest.fixture(params=["memory", "server"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "memory":
        return MemoryPlace()
    found: ServerPlace = request.getfixturevalue("server_place")
    return found
