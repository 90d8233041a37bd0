"""A program that reads, puts and uploads all the time, and ends in the way that it is told."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from itertools import count
from pathlib import Path
from typing import NoReturn

from cheesebox.adapters.object_storage import ObjectStorage, Patience, open_object_storage
from cheesebox.engines import ObjectName
from tests.engines.storage import Storage

_MIB = 1024 * 1024
_BODY = os.urandom(3 * _MIB)


def _leave(_number: int, _frame: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


async def _put(objects: ObjectStorage) -> None:
    for number in count():
        await objects.put(ObjectName(f"put-{os.getpid()}-{number}"), _BODY)


async def _read(objects: ObjectStorage) -> None:
    name = ObjectName(f"read-{os.getpid()}")
    await objects.put(name, _BODY)
    while True:
        async for _ in objects.read(name):
            pass


async def _upload(objects: ObjectStorage) -> None:
    for number in count():
        async with objects.upload(ObjectName(f"upload-{os.getpid()}-{number}")) as upload:
            for _ in range(20):
                await upload.write(_BODY[:_MIB])
            await upload.finish()


async def _wait_for(objects: ObjectStorage) -> None:
    while not (objects.statistics().bytes_down and objects.statistics().upload):  # noqa: ASYNC110 - it counts
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2 + os.getpid() % 10 / 50)


def main(endpoint: str, way: str) -> None:
    """Never closes anything: that is the point."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    storage = Storage("", endpoint, Path())
    loop = asyncio.new_event_loop()
    patience = Patience(connect=2, silence=3, retries=1, call=10)
    objects = open_object_storage(
        f"{storage.url}/exits", storage.options, part_size=5 * _MIB, patience=patience
    )
    tasks = [loop.create_task(work(objects)) for work in (_put, _read, _upload) for _ in range(2)]
    loop.run_until_complete(_wait_for(objects))
    print("traffic", flush=True)  # noqa: T201 - the test waits for it
    if way == "return":
        return
    if way == "exception":
        raise ZeroDivisionError
    loop.run_until_complete(asyncio.gather(*tasks))


if __name__ == "__main__":
    main(*sys.argv[1:])
