"""The client that asks a cache."""

from __future__ import annotations

import pytest

from cheesebox.errors import NotFound, UpstreamError
from cheesebox.warming.client import NotKept, cache_client
from tests.fakes.faults import NotJson, Reset, Status


async def test_a_password_goes_to_the_host_that_it_was_given_for_and_to_no_other(pypi_with_file_host):
    index = pypi_with_file_host
    index.add_sdist("src", "1.0")
    async with cache_client(f"{index.url.replace('//', '//me:secret@')}/", 2) as client:
        page = await client.page("src")
        with pytest.raises(NotKept, match="is no cheesebox"):
            await client.fetch(page.files[0].url)
    asked = [request.headers.get("authorization") for request in index.requests]
    assert asked == ["Basic bWU6c2VjcmV0", None]


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        (Status(404), NotFound, "404"),
        (Status(503), UpstreamError, "503"),
        (NotJson(), UpstreamError, "not the JSON"),
        (Reset(), UpstreamError, "simple/src/"),
    ],
    ids=["404", "503", "no page", "reset"],
)
async def test_an_answer_of_no_use_is_told(pypi, fault, kind, told):
    pypi.add_sdist("src", "1.0")
    pypi.fault("/simple/src/", fault)
    async with cache_client(f"{pypi.url}/", 2) as client:
        with pytest.raises(kind, match=told):
            await client.page("src")


async def test_a_server_that_is_not_there_is_told(pypi):
    pypi.go_down()
    async with cache_client(f"{pypi.url}/", 2) as client:
        with pytest.raises(UpstreamError, match="Cannot connect"):
            await client.page("src")
