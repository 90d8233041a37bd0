"""A bound on waiting that is fair to the other side when this process stood still.

A process that was stopped (SIGSTOP, a virtual machine that was moved) finds two things when it goes on: the
answers that have come meanwhile, and a clock that says that they are late. Event loops look at the clock
first.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TO_READ = 0.25
"""Seconds for what has come to be read, when the time is up."""


@asynccontextmanager
async def answered_within(seconds: float) -> AsyncIterator[None]:
    """Bound what is done in here; raises TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as bound:
        timer = loop.call_later(seconds, lambda: bound.reschedule(loop.time() + _TO_READ))
        try:
            yield
        finally:
            timer.cancel()
