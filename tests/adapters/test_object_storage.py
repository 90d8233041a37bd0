from __future__ import annotations

import asyncio
import builtins
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cheesebox.adapters.object_storage import ObjectStorage, Patience, open_object_storage
from cheesebox.engines import ObjectName
from cheesebox.errors import EngineError, ObjectMissing, SettingsError
from tests.engines.storage import BUCKET, Storage, parts_left, run_localbucket, run_seaweedfs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MIB = 1024 * 1024
PART = 5 * MIB  # S3 takes no smaller ones but the last
NAME = ObjectName("pypi/files/demo-1.0-py3-none-any.whl/abc.7")
IMPATIENT = Patience(connect=1, silence=1, retries=1, call=6)


@pytest.fixture(scope="session")
def directories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="session")
def localbucket(directories: Path) -> Iterator[Storage]:
    with run_localbucket(directories / "localbucket") as storage:
        yield storage


@pytest.fixture(scope="session")
def seaweedfs(directories: Path) -> Iterator[Storage]:
    with run_seaweedfs(directories / "seaweedfs") as storage:
        yield storage


@pytest.fixture(params=["localbucket", "seaweedfs"])
def storage(request: pytest.FixtureRequest) -> Storage:
    return request.getfixturevalue(request.param)


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    return f"prefix-{abs(hash(request.node.name))}"


@asynccontextmanager
async def opened(storage: Storage, prefix: str, **how: object) -> AsyncIterator[ObjectStorage]:
    objects = open_object_storage(f"{storage.url}/{prefix}", storage.options, **how)
    try:
        yield objects
    finally:
        await objects.close()


async def body_of(objects: ObjectStorage, *where: object) -> bytes:
    return b"".join([piece async for piece in objects.read(*where)])


async def names_in(objects: ObjectStorage) -> list[str]:
    return [each.name async for each in objects.walk()]


async def send(objects: ObjectStorage, name: ObjectName, body: bytes, piece: int = 100_000) -> None:
    async with objects.upload(name) as upload:
        for start in range(0, len(body), piece):
            await upload.write(body[start : start + piece])
        await upload.finish()


async def send_and_fail(objects: ObjectStorage, size: int) -> None:
    async with objects.upload(NAME) as upload:
        for _ in range(size // MIB):
            await upload.write(bytes(MIB))
        raise ZeroDivisionError


async def test_a_body_that_was_put_is_read_as_it_was(storage: Storage, prefix: str) -> None:
    async with opened(storage, prefix) as objects:
        await objects.put(NAME, b"a body")
        assert await body_of(objects, NAME) == b"a body"


async def test_an_empty_body_is_a_body(storage: Storage, prefix: str) -> None:
    async with opened(storage, prefix) as objects:
        await objects.put(NAME, b"")
        assert await body_of(objects, NAME) == b""


async def test_a_slice_of_an_object_is_read(storage: Storage, prefix: str) -> None:
    body = os.urandom(3 * MIB)
    async with opened(storage, prefix) as objects:
        await objects.put(NAME, body)
        assert await body_of(objects, NAME, 5, 9) == body[5:9]
        assert await body_of(objects, NAME, MIB + 1) == body[MIB + 1 :]
        assert await body_of(objects, NAME, 2 * MIB, 9 * MIB) == body[2 * MIB :]
        assert await body_of(objects, NAME, 7, 7) == b""


async def test_a_body_comes_in_pieces_that_fit_in_memory(localbucket: Storage, prefix: str) -> None:
    async with opened(localbucket, prefix) as objects:
        await objects.put(NAME, bytes(5 * MIB))
        sizes = [len(piece) async for piece in objects.read(NAME)]
    assert sum(sizes) == 5 * MIB
    assert max(sizes) <= MIB


async def test_a_body_of_many_parts_is_read_byte_for_byte(storage: Storage, prefix: str) -> None:
    body = random.Random(20).randbytes(20 * MIB + 17)
    async with opened(storage, prefix) as objects:
        await send(objects, NAME, body, 777_777)
        assert await body_of(objects, NAME) == body
        counted = objects.statistics()
    assert (counted.upload, counted.parts, counted.put) == (1, 3, 0)
    assert counted.bytes_up == counted.bytes_down == len(body)
    assert parts_left(storage) == []


async def test_a_body_below_the_size_of_a_part_is_put_as_a_whole(localbucket: Storage, prefix: str) -> None:
    async with opened(localbucket, prefix) as objects:
        await send(objects, NAME, bytes(MIB))
        counted = objects.statistics()
        assert await body_of(objects, NAME) == bytes(MIB)
    assert (counted.put, counted.upload, counted.parts) == (1, 0, 0)


async def test_an_upload_that_is_left_leaves_neither_object_nor_parts(storage: Storage, prefix: str) -> None:
    async with opened(storage, prefix, part_size=PART) as objects:
        with pytest.raises(ZeroDivisionError):
            await send_and_fail(objects, 24 * MIB)
        assert await names_in(objects) == []
    assert parts_left(storage) == []


async def test_an_upload_whose_task_is_cancelled_leaves_nothing(localbucket: Storage, prefix: str) -> None:
    async with opened(localbucket, prefix, part_size=PART) as objects:
        begun = asyncio.Event()

        async def upload() -> None:
            async with objects.upload(NAME) as upload:
                for _ in range(12):
                    await upload.write(bytes(MIB))
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(upload())
        await begun.wait()
        assert parts_left(localbucket) != []
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await names_in(objects) == []
    assert parts_left(localbucket) == []


async def test_an_upload_that_ends_without_finish_is_no_object(localbucket: Storage, prefix: str) -> None:
    async with opened(localbucket, prefix, part_size=PART) as objects:
        for size in (10, 12 * MIB):
            async with objects.upload(NAME) as upload:
                await upload.write(bytes(size))
        assert await names_in(objects) == []


async def test_a_body_under_way_is_not_seen(localbucket: Storage, prefix: str) -> None:
    async with opened(localbucket, prefix, part_size=PART) as objects, objects.upload(NAME) as upload:
        for _ in range(12):
            await upload.write(bytes(MIB))
        with pytest.raises(ObjectMissing):
            await body_of(objects, NAME)
        await upload.finish()
        assert len(await body_of(objects, NAME)) == 12 * MIB


async def test_a_name_that_is_taken_keeps_its_first_body(storage: Storage, prefix: str) -> None:
    async with opened(storage, prefix) as objects:
        await objects.put(NAME, b"first")
        await objects.put(NAME, b"second")
        assert await body_of(objects, NAME) == b"first"


async def test_two_uploads_under_one_name_are_never_mixed(storage: Storage, prefix: str) -> None:
    bodies = [bytes([number]) * (11 * MIB) for number in (1, 2)]
    async with opened(storage, prefix, part_size=PART) as objects:
        await asyncio.gather(*(send(objects, NAME, body) for body in bodies))
        assert await body_of(objects, NAME) in bodies
    assert parts_left(storage) == []


async def test_more_uploads_than_there_are_turns_for_all_come_through(
    localbucket: Storage, prefix: str
) -> None:
    async with opened(localbucket, prefix, part_size=PART, uploads=2) as objects:
        names = [ObjectName(f"{number}") for number in range(6)]
        await asyncio.gather(*(send(objects, name, name.encode() * 6 * MIB) for name in names))
        for name in names:
            assert await body_of(objects, name) == name.encode() * 6 * MIB


async def test_an_object_that_is_not_there_is_told_from_trouble(storage: Storage, prefix: str) -> None:
    async with opened(storage, prefix) as objects:
        with pytest.raises(ObjectMissing):
            await body_of(objects, NAME)
        assert objects.statistics().errors == 0


async def test_a_bucket_that_is_gone_says_nothing_of_its_objects(storage: Storage) -> None:
    objects = open_object_storage("s3://no-such-bucket/a", storage.options, patience=IMPATIENT)
    with pytest.raises(EngineError) as caught:
        await body_of(objects, NAME)
    assert not isinstance(caught.value, ObjectMissing)
    await objects.close()


async def test_removed_objects_are_gone_and_missing_ones_are_no_error(storage: Storage, prefix: str) -> None:
    async with opened(storage, prefix) as objects:
        names = [ObjectName(f"a/{number}") for number in range(5)]
        for name in names:
            await objects.put(name, b"x")
        await objects.remove([*names[:3], ObjectName("never/was")])
        await objects.remove([ObjectName("never/was")])
        await objects.remove([])
        assert await names_in(objects) == names[3:]


async def test_all_objects_are_walked_in_the_order_of_their_names(storage: Storage, prefix: str) -> None:
    names = sorted(f"{letter}/{number}.whl/d{number}.1" for letter in "bca" for number in range(4))
    async with opened(storage, prefix) as objects:
        before = time.time()
        for name in reversed(names):
            await objects.put(ObjectName(name), b"body of " + name.encode())
        found = [each async for each in objects.walk()]
    assert [each.name for each in found] == names
    assert [each.size for each in found] == [len("body of " + name) for name in names]
    assert all(before - 2 <= each.stored_at <= time.time() + 2 for each in found)


async def test_names_of_any_characters_are_kept(storage: Storage, prefix: str) -> None:
    name = ObjectName('files/demo+1.0 ~é%2F@x/W="1".3')
    async with opened(storage, prefix) as objects:
        await objects.put(name, b"odd")
        assert await body_of(objects, name) == b"odd"
        assert await names_in(objects) == [name]


async def test_prefixes_keep_caches_apart(localbucket: Storage, prefix: str) -> None:
    async with opened(localbucket, prefix) as one, opened(localbucket, prefix + "-other") as other:
        await one.put(NAME, b"x")
        assert await names_in(other) == []


async def test_a_storage_that_answers_passes_the_check(storage: Storage, prefix: str) -> None:
    async with opened(storage, prefix) as objects:
        await objects.check()


async def test_a_wrong_secret_is_told_without_it(seaweedfs: Storage) -> None:
    options = {**seaweedfs.options, "secret_access_key": "a-wrong-one"}
    objects = open_object_storage(seaweedfs.url, options)
    with pytest.raises(EngineError) as caught:
        await objects.check()
    assert "403 Forbidden, SignatureDoesNotMatch: The request signature" in str(caught.value)
    assert "a-wrong-one" not in str(caught.value)
    assert not isinstance(caught.value, ObjectMissing)
    await objects.close()


async def _all_calls_fail_in_time(url: str, options: dict[str, str]) -> None:
    objects = open_object_storage(url, options, part_size=1000, patience=IMPATIENT)
    calls = {
        "check": objects.check(),
        "put": objects.put(NAME, b"x"),
        "upload": send(objects, NAME, bytes(5000)),
        "read": body_of(objects, NAME),
        "walk": names_in(objects),
        "remove": objects.remove([NAME]),
    }
    began = time.monotonic()
    ends = await asyncio.gather(*calls.values(), return_exceptions=True)
    assert {name: type(end) for name, end in zip(calls, ends, strict=True)} == dict.fromkeys(
        calls, EngineError
    )
    assert time.monotonic() - began < 2 * IMPATIENT.call
    assert objects.statistics().errors == len(calls)
    await objects.close()


async def test_a_server_that_is_gone_is_an_error_within_the_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    await _all_calls_fail_in_time(
        f"s3://{BUCKET}", Storage("gone", f"http://127.0.0.1:{port}", Path()).options
    )


async def test_a_server_that_never_answers_is_an_error_within_the_bound() -> None:
    leave = asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await leave.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        await _all_calls_fail_in_time(
            f"s3://{BUCKET}", Storage("mute", f"http://127.0.0.1:{port}", Path()).options
        )
    finally:
        leave.set()
        server.close()
        await server.wait_closed()


async def test_a_reader_may_be_slower_than_the_patience_with_the_server(
    localbucket: Storage, prefix: str
) -> None:
    body = os.urandom(12 * MIB)
    patience = Patience(connect=1, silence=0.4, retries=0.1, call=3)
    async with opened(localbucket, prefix, patience=patience) as objects:
        await objects.put(NAME, body)
        got = b""
        async for piece in objects.read(NAME):
            if len(got) < 2 * MIB:
                await asyncio.sleep(0.6)
            got += piece
    assert got == body


async def test_a_reader_that_leaves_early_leaves_no_trouble(localbucket: Storage, prefix: str) -> None:
    async with opened(localbucket, prefix) as objects:
        await objects.put(NAME, bytes(8 * MIB))
        pieces = objects.read(NAME)
        assert await anext(pieces)
        await pieces.aclose()
        await objects.check()


async def test_the_event_loop_goes_on_while_bodies_come_and_go(localbucket: Storage, prefix: str) -> None:
    async with opened(localbucket, prefix, part_size=PART) as objects:
        longest = 0.0

        async def watch() -> None:
            nonlocal longest
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.001)
                longest = max(longest, time.monotonic() - before)

        watching = asyncio.create_task(watch())
        await send(objects, NAME, bytes(16 * MIB))
        await body_of(objects, NAME)
        watching.cancel()
    assert longest < 0.5


async def test_bodies_in_memory_are_enough_where_nothing_is_to_last() -> None:
    objects = open_object_storage("memory:///", {}, part_size=10)
    await send(objects, NAME, bytes(25), 10)
    await objects.put(ObjectName("b"), b"x")
    assert await body_of(objects, NAME, 0, 20) == bytes(20)
    await objects.remove([NAME])
    assert await names_in(objects) == ["b"]
    await objects.close()
    await objects.close()
    with pytest.raises(EngineError):
        await objects.check()


@pytest.mark.parametrize(
    ("url", "options"),
    [("ftp://b", {}), ("s3://b", {"endpint": "http://127.0.0.1"}), ("no url", {})],
)
async def test_what_cannot_be_used_is_a_bad_setting(url: str, options: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="cannot be used"):
        open_object_storage(url, options)


async def test_a_missing_extra_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_obstore(name: str, *rest: object) -> object:
        if name.partition(".")[0] == "obstore":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_obstore)
    with pytest.raises(SettingsError, match=r"cheesebox\[s3\]"):
        open_object_storage("s3://b", {})


@pytest.mark.parametrize("way", ["return", "exception", "sigterm", "interrupt"])
def test_a_program_that_ends_amid_traffic_ends_as_it_meant_to(localbucket: Storage, way: str) -> None:
    wanted = {"return": 0, "exception": 1, "sigterm": 143, "interrupt": -signal.SIGINT}
    command = [sys.executable, "-m", "tests.adapters.exiting_amid_traffic", localbucket.endpoint, way]
    programs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "traffic\n"
        if way in {"sigterm", "interrupt"}:
            program.send_signal(signal.SIGTERM if way == "sigterm" else signal.SIGINT)
    for program in programs:
        _, errors = program.communicate(timeout=40)
        assert program.returncode == wanted[way], errors
        assert "fatal" not in errors.lower()
    assert parts_left(localbucket) == []
