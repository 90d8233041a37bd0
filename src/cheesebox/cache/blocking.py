"""Runs calls that block (disk, hashing, compressing) in a few threads of their own.

The event loop's default executor is left to name resolution, so that a slow disk and a slow name
server don't wait for each other.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

_NICENESS = 10


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

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Start the call at once, in a thread."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Wait for the calls under way."""
        self._executor.shutdown()


def _come_second() -> None:
    """Let the event loop go before this thread where both want the same core (Linux).

    While many downloads are hashed and written, the answers from memory would wait for them.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
