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
def server_of_the_session() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def shared_server(server_of_the_session: ValkeyServer) -> ValkeyServer:
    """One that runs and is empty, whatever the test before did to it."""
    server_of_the_session.ensure_running()
    server_of_the_session.command("FLUSHALL")
    return server_of_the_session


@pytest.fixture
def server_place(shared_server: ValkeyServer) -> ServerPlace:
    """A fresh namespace."""
    return ServerPlace(shared_server)


@pytest.fixture(params=["memory", "server"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "memory":
        return MemoryPlace()
    found: ServerPlace = request.getfixturevalue("server_place")
    return found
