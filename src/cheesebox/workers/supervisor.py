"""The supervisor: starts keeper and workers, replaces those that die, stops them in their order.

Rules of this module:
1. It holds what outlives its children: the listening sockets, the doorbell, the board. Connections that
   come while a worker is being replaced wait for the next one.
2. Workers stop before the keeper, whom their last answers need.
3. A child that can't be started the first time ends the program with its words; later it is tried
   again, with growing pauses.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from cheesebox.adapters.board import make_board
from cheesebox.errors import CheeseboxError
from cheesebox.workers.jobs import Job, Order, Told, pack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cheesebox.settings import Settings

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_LONG_ENOUGH = 10.0
_START_TIME = 60.0
_AFTER_GRACE = 5.0


class Child:
    """One child process, and the one that takes its place."""

    def __init__(self, name: str, job: Job) -> None:
        self.name = name
        self.job = job
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> Told:
        """Start a process and wait until it answers; raises `CheeseboxError` with its words."""
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "cheesebox.workers.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=self.job.files,
            process_group=0,  # a terminal's Ctrl-C is for the supervisor
        )
        told = Told(trouble=f"{self.name} did not start")
        with suppress(TimeoutError, ConnectionError, msgspec.DecodeError):
            async with asyncio.timeout(_START_TIME):
                told = await _greet(process, pack(self.job))
        if told.trouble:
            await self.kill()
            raise CheeseboxError(told.trouble)
        log.info("%s is process %d", self.name, process.pid)
        return told

    async def ended(self) -> str:
        """Wait for the end of the process; tells how it ended."""
        code = 0 if self._process is None else await self._process.wait()
        return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"

    def order(self, order: Order) -> None:
        """Give an order."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(order.value)

    async def stop(self, patience: float) -> None:
        """Order the process to stop, and kill it when it does not within ``patience`` seconds."""
        self.order(Order.STOP)
        try:
            async with asyncio.timeout(patience):
                await self.ended()
        except TimeoutError:
            log.error("%s did not stop in time and is killed", self.name)
            await self.kill()

    async def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


async def _greet(process: asyncio.subprocess.Process, job: bytes) -> Told:
    if process.stdin is None or process.stdout is None:
        raise CheeseboxError("a child process has no pipes")
    process.stdin.write(job)
    await process.stdin.drain()
    return msgspec.json.decode(await process.stdout.readline(), type=Told)


class Supervisor:
    """Keeper and workers of one program."""

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket]) -> None:
        """Take the listening sockets, one a worker."""
        self._settings = settings
        self._listeners = listeners
        self._board = make_board()
        self._doorbell = socket.socketpair()
        inside, outside = self._doorbell
        self.keeper = Child("the keeper", Job(settings, inside.fileno(), self._board))
        self.workers = [
            Child(f"worker {number}", Job(settings, outside.fileno(), self._board, listener.fileno()))
            for number, listener in enumerate(listeners, 1)
        ]
        self._stopping = asyncio.Event()

    async def run(self, ready: Callable[[Told], None]) -> None:
        """Work until a signal comes. ``ready`` is called when all answer. Raises `CheeseboxError`."""
        self._take_signals()
        guards: list[asyncio.Task[None]] = []
        try:
            if await self._unless_stopped(asyncio.create_task(self._start(ready))):
                guards = [asyncio.create_task(self._guard(child)) for child in (self.keeper, *self.workers)]
                await self._stopping.wait()
        finally:
            for guard in guards:
                guard.cancel()
            await asyncio.gather(*guards, return_exceptions=True)
            await self._stop()

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, self.switch, Order.OFFLINE)
        loop.add_signal_handler(signal.SIGUSR2, self.switch, Order.ONLINE)

    def stop(self) -> None:
        """Stop; the second time, cut off what runs."""
        if self._stopping.is_set():
            for child in (*self.workers, self.keeper):
                child.order(Order.STOP)
        self._stopping.set()

    def switch(self, order: Order) -> None:
        """Go offline or online; a keeper that takes this one's place does the same."""
        settings = replace(self.keeper.job.settings, offline=order is Order.OFFLINE)
        self.keeper.job = replace(self.keeper.job, settings=settings)
        self.keeper.order(order)

    async def _unless_stopped(self, work: asyncio.Task[None]) -> bool:
        """Do it; False if the order to stop came before its end."""
        stopped = asyncio.create_task(self._wait_for_stop())
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                return False
            work.result()
            return True
        finally:
            stopped.cancel()

    async def _wait_for_stop(self) -> None:
        await self._stopping.wait()

    async def _start(self, ready: Callable[[Told], None]) -> None:
        told = await self.keeper.start()
        await asyncio.gather(*(worker.start() for worker in self.workers))
        ready(told)

    async def _guard(self, child: Child) -> None:
        """Replace a child whenever it ends."""
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
        began = loop.time()
        while True:
            how = await child.ended()
            log.error("%s %s; another one takes its place", child.name, how)
            if loop.time() - began > _LONG_ENOUGH:
                pause = _FIRST_PAUSE
            while True:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                began = loop.time()
                try:
                    await child.start()
                except CheeseboxError as error:
                    log.error("%s can't be started: %s", child.name, error)
                else:
                    break

    async def _stop(self) -> None:
        patience = self._settings.shutdown_grace + _AFTER_GRACE
        await asyncio.gather(*(worker.stop(patience) for worker in self.workers))
        await self.keeper.stop(patience)
        for sock in (*self._listeners, *self._doorbell):
            sock.close()
        os.close(self._board)


def supervise(settings: Settings, listeners: Sequence[socket.socket], ready: Callable[[Told], None]) -> None:
    """Run keeper and workers until a signal comes; raises `CheeseboxError` if they can't be started."""

    async def work() -> None:
        await Supervisor(settings, listeners).run(ready)

    asyncio.run(work())
