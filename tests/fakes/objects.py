"""An object storage in memory, with switches to fail, to be slow and to lose objects."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cheesebox.engines import StoredObject
from cheesebox.errors import EngineError, ObjectMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from cheesebox.engines import ObjectName
    from cheesebox.ports import Clock

_SLICE = 65536


@dataclass
class FakeObjects:
    """Several nodes may share one. ``bodies`` and ``stored_at`` may be changed by hand.

    ``down`` makes every call raise `EngineError`; calls, and each slice that is read or written, wait
    while ``open`` is cleared; ``lost`` objects are listed but cannot be read; ``asked`` lists the calls
    that were made, with the object's name.
    """

    clock: Clock = time.time
    down: bool = False
    open: asyncio.Event = field(default_factory=asyncio.Event)
    bodies: dict[ObjectName, bytes] = field(default_factory=dict)
    stored_at: dict[ObjectName, float] = field(default_factory=dict)
    lost: set[ObjectName] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    unfinished: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        self.open.set()

    async def _call(self, name: str, about: str = "") -> None:
        self.asked.append((name, about))
        await self._way()

    async def _way(self) -> None:
        await self.open.wait()
        await asyncio.sleep(0)  # others get their turn, as they would on a network
        if self.down:
            raise EngineError("the object storage is down")

    def _store(self, name: ObjectName, body: bytes) -> None:
        if name not in self.bodies:
            self.bodies[name] = body
            self.stored_at[name] = self.clock()

    async def put(self, name: ObjectName, body: bytes) -> None:
        await self._call("put", name)
        self._store(name, body)

    @asynccontextmanager
    async def upload(self, name: ObjectName) -> AsyncIterator[FakeUpload]:
        await self._call("upload", name)
        self.unfinished += 1
        try:
            yield FakeUpload(self, name)
        finally:
            self.unfinished -= 1

    async def read(self, name: ObjectName, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        await self._call("read", name)
        if name in self.lost or name not in self.bodies:
            raise ObjectMissing(f"there is no object {name}")
        body = self.bodies[name][start:stop]
        for offset in range(0, len(body), _SLICE):
            await self._way()
            yield body[offset : offset + _SLICE]

    async def remove(self, names: Collection[ObjectName]) -> None:
        await self._call("remove", " ".join(sorted(names)))
        for name in names:
            self.bodies.pop(name, None)
            self.stored_at.pop(name, None)
            self.lost.discard(name)

    async def walk(self) -> AsyncIterator[StoredObject]:
        await self._call("walk")
        for name in sorted(self.bodies):
            await self._way()
            if name in self.bodies:
                yield StoredObject(name, len(self.bodies[name]), self.stored_at[name])

    async def check(self) -> None:
        await self._call("check")

    async def close(self) -> None:
        self.closed = True


class FakeUpload:
    """Bytes on their way to a `FakeObjects`."""

    def __init__(self, objects: FakeObjects, name: ObjectName) -> None:
        self._objects = objects
        self._name = name
        self._pieces: list[bytes] = []

    async def write(self, data: bytes) -> None:
        await self._objects._way()
        self._pieces.append(bytes(data))

    async def finish(self) -> None:
        await self._objects._call("finish", self._name)
        self._objects._store(self._name, b"".join(self._pieces))
