"""What a node answers another: only to those who know the secret, and only what it has or is fetching."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from cheesebox.cache.blocking import Blocking
from cheesebox.commons.peers import PATH
from cheesebox.errors import EngineError, Forbidden, UpstreamBroken
from cheesebox.hashing import hash_token
from cheesebox.web.door import Door, parse_keys
from cheesebox.web.http import FileSlice, Request, Response
from cheesebox.web.own import OwnEndpoints
from cheesebox.web.peering import Peering
from cheesebox.web.router import Router
from tests.cache.fakes import Gate, Plan
from tests.cache.house import House, hashed_path, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from cheesebox.ports import Key

BODY = b"0123456789" * 30_000
FILE = hashed_path(BODY)
SECRET = "what the nodes know each other by"
HELLO = f"Bearer {SECRET}"


async def secret() -> str:
    return SECRET


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def asked(key: Key, authorization: str | None = HELLO, method: str = "GET", **headers: str) -> Request:
    fields = dict(headers) | ({} if authorization is None else {"authorization": authorization})
    return Request(method, PATH + quote(key), "", fields)


async def body_of(response: Response) -> bytes:
    try:
        if isinstance(response.body, bytes):
            return response.body
        part = response.body
        assert isinstance(part, FileSlice)
        return b"".join([chunk async for chunk in part.file.stream(part.start, part.stop)])
    finally:
        if response.closing is not None:
            response.closing()


async def test_a_stored_file_is_given_whole_or_in_part(root: Path) -> None:
    async with House(root) as house:
        house.upstream.serve(url_of(FILE), BODY)
        await house.read(FILE)
        peering = Peering(secret, house.files.here)
        whole = await peering.answer(asked(house.key(FILE)))
        assert (whole.status, dict(whole.headers)["content-length"]) == (200, str(len(BODY)))
        assert await body_of(whole) == BODY
        part = await peering.answer(asked(house.key(FILE), range="bytes=1000-"))
        assert (part.status, dict(part.headers)["content-range"]) == (
            206,
            f"bytes 1000-{len(BODY) - 1}/{len(BODY)}",
        )
        assert await body_of(part) == BODY[1000:]
        beyond = await peering.answer(asked(house.key(FILE), range=f"bytes={len(BODY)}-"))
        assert beyond.status == 416
        assert await body_of(beyond) == b""


async def test_a_file_that_grows_is_given_as_it_grows(root: Path) -> None:
    gate = Gate()
    async with House(root) as house:
        length = {"Content-Length": str(len(BODY))}
        house.upstream.plan(url_of(FILE), Plan([BODY[:200_000], gate, BODY[200_000:]], headers=length))
        reading = asyncio.create_task(house.read(FILE))
        await gate.reached.wait()
        response = await Peering(secret, house.files.here).answer(asked(house.key(FILE), range="bytes=10-"))
        part = response.body
        assert isinstance(part, FileSlice)
        stream = part.file.stream(part.start, part.stop)
        first = await anext(stream)
        assert not gate.opened.is_set()
        gate.opened.set()
        assert first + b"".join([chunk async for chunk in stream]) == BODY[10:]
        assert response.closing is not None
        response.closing()
        assert await reading == BODY
        assert len(house.upstream.requests) == 1


async def test_what_is_neither_stored_nor_growing_is_not_found_and_not_fetched(root: Path) -> None:
    async with House(root) as house:
        house.upstream.serve(url_of(FILE), BODY)
        response = await Peering(secret, house.files.here).answer(asked(house.key(FILE)))
        assert response.status == 404
        assert house.upstream.requests == []


async def test_a_download_that_has_failed_is_an_error(root: Path) -> None:
    gate = Gate()
    async with House(root) as house:
        house.upstream.plan(url_of(FILE), Plan([b"wrong" * 10, gate], headers={"Content-Length": "50"}))
        reading = asyncio.create_task(house.read(FILE))
        await gate.reached.wait()
        answering = asyncio.create_task(Peering(secret, house.files.here).answer(asked(house.key(FILE))))
        await asyncio.sleep(0)
        gate.opened.set()
        with pytest.raises(UpstreamBroken):
            await answering
        with pytest.raises(UpstreamBroken):
            await reading


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", SECRET, f"Basic {SECRET}", "Bearer é"]
)
async def test_who_does_not_know_the_secret_gets_nothing(root: Path, authorization: str | None) -> None:
    async with House(root) as house:
        house.upstream.serve(url_of(FILE), BODY)
        await house.read(FILE)
        with pytest.raises(Forbidden):
            await Peering(secret, house.files.here).answer(asked(house.key(FILE), authorization))


async def test_while_the_register_is_away_nobody_is_let_in(root: Path) -> None:
    async def unknown() -> str:
        raise EngineError("the register is down")

    async with House(root) as house:
        with pytest.raises(Forbidden, match="while the register is away"):
            await Peering(unknown, house.files.here).answer(asked(house.key(FILE)))


async def test_only_reading_is_allowed(root: Path) -> None:
    async with House(root) as house:
        response = await Peering(secret, house.files.here).answer(asked(house.key(FILE), method="POST"))
        assert response.status == 405


async def test_keys_are_read_as_they_were_written(root: Path) -> None:
    seen = []

    async def here(key: Key) -> None:
        seen.append(key)

    async with House(root) as house:
        key = house.key(hashed_path(BODY, "demo-1.0%2Blocal ü.tar.gz"))
        await Peering(secret, here).answer(asked(key))
        assert seen == [key]


# ── behind a door


def guarded(peering: Peering | None) -> Router:
    door = Door(Blocking(1), ["the token of the owner"])
    door.renew(parse_keys(f"ci:{hash_token(b'a token')}\n"))
    own = OwnEndpoints(None, None, None, None, None)  # type: ignore[arg-type] # nobody comes as far
    return Router({}, own, door=door, peering=peering)


async def nothing() -> dict[str, object]:
    raise AssertionError("nobody reads")


async def test_nodes_reach_each_other_though_access_is_restricted(root: Path) -> None:
    async with House(root) as house:
        house.upstream.serve(url_of(FILE), BODY)
        await house.read(FILE)
        router = guarded(Peering(secret, house.files.here))
        response = await router(asked(house.key(FILE)), nothing)
        assert (response.status, await body_of(response)) == (200, BODY)
        for authorization in (None, "Bearer a token", "Bearer the token of the owner"):
            refused = await router(asked(house.key(FILE), authorization), nothing)
            assert refused.status == 403


async def test_the_secret_of_the_nodes_opens_nothing_else(root: Path) -> None:
    async with House(root) as house:
        router = guarded(Peering(secret, house.files.here))
        for path in ("/pypi/simple/demo/", "/-/stats", "//-/node/x", "/-/nodes"):
            request = Request("GET", path, "", {"authorization": HELLO})
            assert (await router(request, nothing)).status == 401
        alone = await guarded(None)(asked(house.key(FILE)), nothing)
        assert alone.status == 401, "a cache on its own has no other nodes"
