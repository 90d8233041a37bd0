"""What is the server's own: how it is reached, what its failures are, what its calls cost."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import sys
import time
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from cheesebox.adapters.valkey.connecting import shown
from cheesebox.adapters.valkey.scripts import load_scripts
from cheesebox.adapters.valkey_register import ValkeyRegister, open_register
from cheesebox.engines import Granted, Known, Published, Removed
from cheesebox.errors import EngineError, SettingsError
from cheesebox.ports import Key, Totals
from tests.engines.valkey import ValkeyServer, valkey_cluster, valkey_sentinel, valkey_server

from .registers import ServerPlace, begun, record_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator
    from pathlib import Path

KEY = Key("pypi/packages/a.whl")


@asynccontextmanager
async def register_at(url: str) -> AsyncIterator[ValkeyRegister]:
    register = open_register(url, secrets.token_hex(8), time.time)  # a namespace of its own
    try:
        yield register
    finally:
        await register.close()


async def works(register: ValkeyRegister) -> None:
    """Drive it once through what is written, read and listened to."""
    listening = await begun(register)
    claim = await register.claim(KEY)
    assert isinstance(claim, Granted)
    assert await register.publish(claim.lease, record_of(KEY, claim.lease.token))
    assert isinstance(await register.claim(KEY), Known)
    assert await register.totals() == Totals(10, 1)
    await register.purge([KEY])
    assert [await listening.next(), await listening.next()] == [Published(KEY), Removed((KEY,))]
    await listening.stop()


# ── how it is reached ───────────────────────────────────────────────────────────────────────────────


async def test_a_server_is_reached_by_tcp(shared_server: ValkeyServer) -> None:
    async with register_at(shared_server.url) as register:
        await works(register)


async def test_a_server_is_reached_by_its_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with valkey_server(unixsocket=str(path)):
        async with register_at(f"unix://{path}") as register:
            await works(register)


async def test_a_server_is_reached_with_a_password() -> None:
    with valkey_server(requirepass="p@ss/word") as server:
        async with register_at(f"valkey://:p%40ss%2Fword@127.0.0.1:{server.port}") as register:
            await works(register)


async def test_a_server_is_reached_by_tls(shared_server: ValkeyServer, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with tls_in_front_of(shared_server, context) as port:
        url = f"valkeys://localhost:{port}"
        async with register_at(f"{url}?ssl_ca_certs={tmp_path / 'ca.pem'}") as register:
            await works(register)
        async with register_at(url) as register:
            with pytest.raises(EngineError, match="certificate"):
                await register.totals()


@asynccontextmanager
async def tls_in_front_of(server: ValkeyServer, context: ssl.SSLContext) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            await asyncio.gather(pipe(reader, back), pipe(there, writer))
        finally:
            writer.close()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


async def test_a_server_is_found_by_its_sentinels() -> None:
    with valkey_server() as server, valkey_sentinel(server, "mine") as url:
        async with register_at(url) as register:
            await works(register)
        async with register_at(url.replace("mine", "other")) as register:
            with pytest.raises(EngineError, match="other"):
                await register.totals()


async def test_a_cluster_is_reached_by_one_of_its_servers() -> None:
    with valkey_cluster() as url:
        async with register_at(url) as register:
            await works(register)


@pytest.mark.parametrize("way", ["valkey://%s", "valkey+sentinel://%s/mine/0", "valkey+cluster://%s"])
async def test_what_was_never_reached_is_closed_as_often_as_one_likes(way: str) -> None:
    register = open_register(way % "127.0.0.1:1", "tests", time.time)
    await register.close()
    await register.close()


def test_an_installation_without_the_extra_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(SettingsError, match=r"install cheesebox\[valkey\]"):
        open_register("valkey://localhost", "tests", time.time)


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────

URLS_WITH_SECRETS = [
    "valkey://:secret@localhost:1",
    "valkey://user:secret@localhost:1/0",
    "valkey://user:sec/secret@localhost:1",
    "valkey://user:s?secret@localhost:1",
    "valkey://user:s#secret@localhost:1",
    "valkey://user:secret@localhost:port",
    "valkey://secret:secret@[::1",
    "valkey://localhost:1?password=secret",
    "valkey://localhost:1?password=a@secret",
    "valkey://localhost:1?socket_timeout=secret",
    "valkey+cluster://user:secret@localhost:x",
    "valkey+sentinel://user:secret@localhost:1,localhost:2/mine/0",
    "valkey+sentinel://user:secret@localhost:1",
    "http://user:secret@localhost",
    "user:secret@localhost",
    "",
]


@pytest.mark.parametrize("url", URLS_WITH_SECRETS)
async def test_no_secret_of_a_url_is_ever_shown(url: str) -> None:
    assert "secret" not in shown(url)
    with pytest.raises((SettingsError, EngineError)) as raised:
        await shows_no_secret(url)
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(raised.value)
    assert "secret" not in "".join(traceback.format_exception_only(raised.value.__context__))


async def shows_no_secret(url: str) -> None:
    async with register_at(url) as register:
        assert "secret" not in repr(register)
        await register.totals()


async def test_a_wrong_password_is_an_engine_error_that_does_not_tell_it() -> None:
    with valkey_server(requirepass="right") as server:
        async with register_at(f"valkey://:secret@127.0.0.1:{server.port}") as register:
            with pytest.raises(EngineError) as raised:
                await register.totals()
    assert "secret" not in "".join(traceback.format_exception(raised.value))
    assert f"127.0.0.1:{server.port}" in str(raised.value)


# ── failures ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def own_server() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


async def test_calls_to_a_server_that_is_gone_end_soon(own_server: ValkeyServer) -> None:
    async with register_at(own_server.url) as register:
        await register.totals()
        own_server.kill()
        await fails_soon(register)


async def test_calls_to_a_server_that_is_paused_end_soon_and_work_again(own_server: ValkeyServer) -> None:
    async with register_at(own_server.url) as register:
        await register.totals()
        own_server.pause()
        await fails_soon(register)
        own_server.resume()
        await register.totals()
        assert register.statistics().errors["totals"] == 100


async def fails_soon(register: ValkeyRegister) -> None:
    """All calls fail, also those that have to wait for others, and so does who listens."""
    began = time.monotonic()
    calls = [register.totals() for _ in range(100)]
    errors = await asyncio.gather(*calls, anext(register.changes()), return_exceptions=True)
    assert {type(error) for error in errors} == {EngineError}
    assert time.monotonic() - began < 3


async def test_a_server_that_was_restarted_is_used_again_at_once(own_server: ValkeyServer) -> None:
    async with register_at(own_server.url) as register:
        await asyncio.gather(*(register.claim(Key(str(number))) for number in range(20)))
        own_server.restart()
        claims = await asyncio.gather(*(register.claim(Key(str(number))) for number in range(20)))
        assert all(isinstance(claim, Granted) for claim in claims)
        assert register.statistics().errors == {}


async def test_scripts_that_the_server_forgot_are_sent_again(
    server_place: ServerPlace, shared_server: ValkeyServer
) -> None:
    register = server_place.register()
    await register.claim(KEY)
    shared_server.command("SCRIPT", "FLUSH")
    assert await register.find(KEY) is None
    assert register.statistics().errors == {}


async def test_a_claim_whose_answer_was_lost_is_granted_when_it_is_repeated(
    server_place: ServerPlace,
) -> None:
    register = server_place.register()
    first = await register._calls.script("claim", KEY, "", 10_000, "name", "http://node")
    again = await register._calls.script("claim", KEY, "", 10_000, "name", "http://node")
    assert first[1:] == again[1:]
    assert first[1] == b"granted"


async def test_a_record_that_cannot_be_read_is_an_engine_error(
    server_place: ServerPlace, shared_server: ValkeyServer
) -> None:
    register = server_place.register()
    claim = await register.claim(KEY)
    assert isinstance(claim, Granted)
    await register.publish(claim.lease, record_of(KEY, claim.lease.token))
    shared_server.command("HSET", server_place.key(f"o:{KEY}"), "facts", "what?")
    with pytest.raises(EngineError, match="unreadable"):
        await register.find(KEY)


async def test_namespaces_know_nothing_of_each_other(shared_server: ValkeyServer) -> None:
    one, other = ServerPlace(shared_server).register(), ServerPlace(shared_server).register()
    assert isinstance(await one.claim(KEY), Granted)
    assert isinstance(await other.claim(KEY), Granted)


# ── what calls cost ─────────────────────────────────────────────────────────────────────────────────

# Each of these takes the same time however much there is; `hours` has one member an hour.
CONSTANT = {
    "evalsha",
    "time",
    "hget",
    "hmget",
    "hset",
    "hincrby",
    "del",
    "sadd",
    "srem",
    "spop",
    "zadd",
    "zrange",
}


async def test_touch_and_eviction_cost_the_same_however_much_there_is(
    server_place: ServerPlace, shared_server: ValkeyServer
) -> None:
    register = server_place.register()
    costs = []
    for total in (1_000, 30_000):
        fill(shared_server, server_place, total)
        used = [Key(f"{total}/{number}") for number in range(100)]
        for key in used:
            await server_place.unused(key, hours=5)
        touching = await cost(shared_server, register.touch(used))
        for key in used:
            await server_place.unused(key, hours=7)
        evicting = await cost(shared_server, register.evict(100))
        costs.append((touching, evicting))
    assert costs[0] == costs[1]
    assert costs[0][0].keys() | costs[0][1].keys() <= CONSTANT
    assert costs[0][0]["evalsha"] == costs[0][1]["evalsha"] == 1
    assert await register.totals() == Totals(31_000 * 10 - 2_000, 30_800)


async def test_a_touch_within_the_hour_writes_nothing(
    server_place: ServerPlace, shared_server: ValkeyServer
) -> None:
    fill(shared_server, server_place, 100)
    keys = [Key(f"100/{number}") for number in range(100)]
    register = server_place.register()
    assert await cost(shared_server, register.touch(keys)) == {"evalsha": 1, "time": 1, "hget": 100}


def fill(server: ValkeyServer, place: ServerPlace, total: int) -> None:
    """Adopt so many objects."""
    script = load_scripts()["adopt"]
    with server.client() as client:
        client.script_load(script.text)
        pipeline = client.pipeline(transaction=False)
        for number in range(total):
            key = f"{total}/{number}"
            pipeline.evalsha(script.digest, 1, place.key(""), 0, 100, key, f"{key}.0", 10, 0, 0, FACTS)
        pipeline.execute()
    for other in load_scripts().values():
        server.command("SCRIPT", "LOAD", other.text)


FACTS = b"\x98\xa4file\xa9sha256:00\xa0\xa0\xa0\xa0\xa0\xc0"


async def cost(server: ValkeyServer, call: Awaitable[object]) -> dict[str, int]:
    """Count the commands that the server runs for a call."""
    server.command("CONFIG", "RESETSTAT")
    await call
    with server.client() as client:
        stats = client.info("commandstats")
    counts = {name.removeprefix("cmdstat_"): figures["calls"] for name, figures in stats.items()}
    own = ("config", "info", "client", "hello")
    return {name: count for name, count in counts.items() if not name.startswith(own)}


async def test_what_was_called_is_counted(server_place: ServerPlace) -> None:
    register = server_place.register()
    await register.claim(KEY)
    await register.claim(KEY)
    await register.totals()
    assert register.statistics().operations == {"claim": 2, "totals": 1}
    assert register.statistics().errors == {}


async def test_who_listens_hears_also_when_all_other_connections_are_busy(server_place: ServerPlace) -> None:
    register = server_place.register()
    listening = await server_place.listen(register)
    claims = await asyncio.gather(*(register.claim(Key(str(number))) for number in range(200)))
    await asyncio.gather(*(register.release(claim.lease) for claim in claims if isinstance(claim, Granted)))
    heard = {await listening.next() for _ in range(200)}
    assert heard == {Published(Key(str(number))) for number in range(200)}
