"""Verdicts about engines, and facts gathered from a real register and a storage in memory."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from cheesebox.adapters.object_storage import open_object_storage
from cheesebox.adapters.valkey.looking import ServerFacts, look_at_server, read_facts
from cheesebox.adapters.valkey_register import open_register
from cheesebox.cli.doctor import trying
from cheesebox.cli.doctor.engines import (
    Failed,
    RegisterFacts,
    StorageFacts,
    judge_node_url,
    judge_register,
    judge_storage,
)
from cheesebox.cli.doctor.findings import Level
from cheesebox.cli.doctor.server import Listener
from cheesebox.cli.main import main
from cheesebox.errors import EngineError
from cheesebox.nodes import Engines
from cheesebox.settings import Settings
from tests.engines.valkey import valkey_server
from tests.fakes.objects import FakeObjects

SERVER = ServerFacts("Valkey", "8.1.1", "noeviction", 0, 10**6, 1_800_000_000.0)


@pytest.fixture(scope="module")
def valkey():
    with valkey_server() as server:
        yield server


@pytest.fixture
def objects():
    return FakeObjects()


@pytest.fixture
def settings(valkey, objects, monkeypatch):
    def opened(settings, clock):
        return Engines(open_register(settings.catalogue, "tests", clock), objects)

    monkeypatch.setattr(trying, "open_engines", opened)
    return Settings(store="s3://bucket/prefix", catalogue=f"{valkey.url}/0")


def levels(facts: RegisterFacts) -> list[Level]:
    return [finding.level for finding in judge_register(facts)]


# ── verdicts


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [Level.OK, Level.OK]),
        ({"version": "4.0.14"}, [Level.FAIL, Level.OK]),
        ({"version": "", "policy": ""}, [Level.OK, Level.OK]),
        ({"policy": "allkeys-lru"}, [Level.OK, Level.WARN, Level.OK]),
        ({"max_memory": 1_100_000}, [Level.OK, Level.WARN, Level.OK]),
        ({"max_memory": 10**9}, [Level.OK, Level.OK]),
    ],
)
def test_a_register_has_to_be_new_enough_and_keep_what_it_is_given(changes, expected):
    assert levels(RegisterFacts(replace(SERVER, **changes))) == expected


def test_a_register_that_is_slow_or_has_another_time_is_told():
    assert levels(RegisterFacts(SERVER, seconds=0.6)) == [Level.WARN, Level.OK]
    assert levels(RegisterFacts(SERVER, ahead=-40.0)) == [Level.OK, Level.WARN]
    told = list(judge_register(RegisterFacts(SERVER, ahead=90.0)))[-1].message
    assert told == "its clock is 1m30s ahead of this one"


def test_an_engine_that_cannot_be_used_is_a_failure_with_its_operation():
    (finding,) = judge_register(RegisterFacts(Failed("ask", "no answer")))
    assert (finding.level, finding.message) == (Level.FAIL, "no answer")
    finding = judge_storage(StorageFacts("s3://bucket", Failed("list", "access denied")))
    assert (finding.level, finding.message) == (Level.FAIL, "s3://bucket: list: access denied")
    assert judge_storage(StorageFacts("s3://bucket", None, 0.012)).level is Level.OK


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        ("cannot list: 403 Forbidden, RequestTimeTooSkewed: The difference", "this machine's clock"),
        ("cannot list: 403 Forbidden, SignatureDoesNotMatch: The request", "AWS_SECRET_ACCESS_KEY"),
        ("cannot write: 403 Forbidden, AccessDenied: Access Denied", "get, put, delete and list"),
        ("cannot list: connection refused", "store_endpoint"),
    ],
)
def test_the_fix_of_a_storage_goes_by_the_reason_that_it_gives(message, fix):
    assert fix in judge_storage(StorageFacts("s3://bucket", Failed("list", message))).fix


@pytest.mark.parametrize(
    ("url", "listener", "server_answers", "level"),
    [
        (None, Listener.NOBODY, True, Level.WARN),
        ("http://10.0.0.7:6283", Listener.READY, True, Level.OK),
        ("http://10.0.0.7:6283", Listener.NOT_READY, True, Level.OK),
        ("http://127.0.0.1:6283", Listener.READY, True, Level.WARN),
        ("http://[::1]:6283", Listener.READY, True, Level.WARN),
        ("http://localhost:6283", Listener.READY, True, Level.WARN),
        ("http://10.0.0.7:6283", Listener.NOBODY, False, Level.WARN),
        ("http://10.0.0.7:6283", Listener.NOBODY, True, Level.FAIL),
        ("http://10.0.0.7:6283", Listener.OTHER, False, Level.FAIL),
    ],
)
def test_others_have_to_reach_this_node_at_its_url(url, listener, server_answers, level):
    assert judge_node_url(url, listener, server_answers=server_answers).level is level


# ── facts


async def test_a_server_tells_what_it_is_and_its_time(valkey):
    facts = await look_at_server(valkey.url, "tests")
    assert facts.product == "Valkey"
    assert int(facts.version.partition(".")[0]) >= 8
    assert facts.policy == "noeviction"
    assert facts.used_memory > 0
    assert abs(facts.now - time.time()) < 5


def test_redis_and_those_who_tell_nothing_are_understood():
    assert read_facts("redis_version:7.2.4\r\nmaxmemory:7\r\n", 1.0) == ServerFacts(
        "Redis", "7.2.4", "", 7, 0, 1.0
    )
    assert read_facts("", 1.0).version == ""


async def test_both_engines_are_used_and_left_as_they_were(settings, valkey, objects):
    register, storage = await trying.try_engines(settings)
    assert isinstance(register.result, ServerFacts)
    assert abs(register.ahead) < 5
    assert storage.result is None
    assert storage.where == "s3://bucket/prefix"
    assert not objects.bodies
    assert [call for call, _ in objects.asked] == ["put", "walk", "read", "remove"]
    assert objects.closed
    assert valkey.command("DBSIZE") == 0


async def test_where_nothing_is_shared_nothing_is_tried():
    assert await trying.try_engines(Settings()) is None


async def test_a_storage_is_tried_through_its_adapter():
    storage = open_object_storage("memory:///", {})
    assert (await trying.try_storage(storage, "memory")).result is None
    assert [found async for found in storage.walk()] == []
    await storage.close()
    assert (await trying.try_storage(storage, "memory")).result is not None


class Unlisted(FakeObjects):
    """A bucket whose policy lets nobody list it."""

    async def walk(self):
        raise EngineError("access denied")
        yield


async def test_the_operation_that_is_refused_is_named():
    facts = await trying.try_storage(Unlisted(), "s3://bucket")
    assert facts.result == Failed("list", "access denied")


def test_the_command_tells_of_engines_that_are_away(
    settings, valkey, objects, tmp_path, pypi, monkeypatch, capsys
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    nodes = ["--store", settings.store, "--catalogue", settings.catalogue]
    args = ["doctor", "--upstream", pypi.simple_url, "--cache-dir", str(tmp_path / "cache"), *nodes]
    limits = ["--port", str(valkey.port), "--max-size", "1MB", "--min-free", "0"]
    main([*args, *limits])  # another program listens at the port
    out = capsys.readouterr().out
    assert "ok    register " in out
    assert "ok    storage " in out
    assert "warn  node_url " in out
    objects.down = True
    assert main([*args, *limits, "--node-url", f"http://127.0.0.1:{valkey.port}"]) == 1
    out = capsys.readouterr().out
    assert "fail  storage " in out
    assert "write: the object storage is down" in out
    assert "fail  node_url " in out
