"""What the supervisor tells a child process at its start, and what the child tells back.

Rules of this module:
1. The job comes through the child's standard input: settings hold secrets, which command lines show.
2. Orders follow it there, a byte each; its end means that the supervisor is gone, and is an order to
   stop. So no child outlives the supervisor.
3. The child says one line on its standard output: that it answers, or why it can't.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import struct
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from cheesebox.errors import CheeseboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cheesebox.settings import Settings

_LENGTH = struct.Struct("!I")
_IN, _OUT = 0, 1


class Order(bytes, Enum):
    """What the supervisor may order."""

    STOP = b"s"
    """Let running answers finish; the second time, cut them off."""
    OFFLINE = b"f"
    ONLINE = b"n"


@dataclass(frozen=True, slots=True)
class Job:
    """What a child is to do. ``listener`` is None for the keeper; all files are descriptors."""

    settings: Settings
    doorbell: int
    board: int
    listener: int | None = None

    @property
    def files(self) -> tuple[int, ...]:
        """What the child inherits."""
        own = () if self.listener is None else (self.listener,)
        return (self.doorbell, self.board, *own)


class Told(msgspec.Struct, frozen=True):
    """What the child says when it answers, or can't (``trouble``). The keeper tells what is stored."""

    trouble: str = ""
    size: int = 0
    entries: int = 0


def pack(job: Job) -> bytes:
    """Write a job down for a child of ours."""
    data = pickle.dumps(job)
    return _LENGTH.pack(len(data)) + data


def take_job() -> Job:
    """Read the job."""
    (length,) = _LENGTH.unpack(_read(_LENGTH.size))
    job: Job = pickle.loads(_read(length))  # noqa: S301 - from the process that started this one
    return job


def _read(length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = os.read(_IN, length - len(data))
        if not more:
            raise CheeseboxError("the supervisor is gone")
        data += more
    return data


def tell(told: Told) -> None:
    """Say it."""
    os.write(_OUT, msgspec.json.encode(told) + b"\n")


def obey(orders: Mapping[Order, Callable[[], None]]) -> None:
    """Call what each order means, on the running event loop."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        given = os.read(_IN, 64)
        if not given:
            loop.remove_reader(_IN)
            orders[Order.STOP]()
        for byte in given:
            if (obeyed := orders.get(Order(bytes((byte,))))) is not None:
                obeyed()

    loop.add_reader(_IN, read)
