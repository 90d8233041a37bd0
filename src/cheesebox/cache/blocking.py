"""Runs calls that block (disk, hashing, compressing) in a few threads of their own.

The event loop's default executor is left to name resolution, so that a slow disk and a slow name
server don't wait for each other.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

_NICENESS = 10
_BREATH = 50e-6
_MOST_BUSY = 2


async def to_the_end(call: asyncio.Future[T]) -> T:
    """Await a call that must not be left half done: a cancellation comes through after its end.

    A thread cannot be cancelled: whoever went on at once would take its file handle away.
    """
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait({call})
        if not call.cancelled():
            call.exception()  # it has been looked at: the cancellation is what matters now
        raise


class Blocking:
    """Call it with a function and its arguments; await the result."""

    def __init__(self, threads: int = 8) -> None:
        self._executor = ThreadPoolExecutor(
            threads, thread_name_prefix="cheesebox-io", initializer=_come_second
        )
        self._busy = ThreadPoolExecutor(
            max(1, min(_MOST_BUSY, _cores() - 1)),
            thread_name_prefix="cheesebox-busy",
            initializer=_come_second,
        )
        self._wanted = 0

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Start the call at once, in a thread."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))

    def heavily(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Start a call that keeps a core busy, such as hashing; few of them run at once.

        It must not wait for another one.
        """
        call = asyncio.get_running_loop().run_in_executor(self._busy, lambda: function(*args, **kwargs))
        self._wanted += 1
        call.add_done_callback(self._given)
        return call

    def _given(self, _: asyncio.Future[T]) -> None:
        self._wanted -= 1

    def breathe(self) -> None:
        """Let the event loop have the core while there is much of such work: for threads, each millisecond.

        Only a sleep does so for certain: a thread that comes out of a long call goes on if the interpreter
        happens to be free, however long the event loop has waited for the core.
        """
        if self._wanted > 1:
            time.sleep(_BREATH)

    def close(self) -> None:
        """Wait for the calls under way."""
        self._busy.shutdown()
        self._executor.shutdown()


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _come_second() -> None:
    """Let the event loop go before this thread where both want the same core (Linux).

    While many downloads are hashed and written, the answers from memory would wait for them.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
