"""Calls in threads that must not be left half done."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

import pytest

from cheesebox.cache.blocking import Blocking, to_the_end


async def test_a_cancelled_caller_goes_on_only_when_its_call_has_ended() -> None:
    started, released = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    done: list[str] = []

    def work() -> None:
        loop.call_soon_threadsafe(started.set)
        released.wait(20)
        done.append("work")
        raise ZeroDivisionError  # seen by nobody, and no reason to complain

    async def call() -> None:
        try:
            await to_the_end(blocking(work))
        finally:
            done.append("caller")

    blocking = Blocking(1)
    caller = asyncio.create_task(call())
    await started.wait()
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done == ["work", "caller"]
    blocking.close()


async def test_the_result_and_the_error_of_a_call_come_through() -> None:
    blocking = Blocking(1)
    assert await to_the_end(blocking(int, "7")) == 7
    with pytest.raises(ValueError, match="invalid literal"):
        await to_the_end(blocking(int, "seven"))
    blocking.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux only")
async def test_threads_come_after_the_event_loop() -> None:
    blocking = Blocking(1)
    try:
        own = await blocking(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        assert own > os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    finally:
        blocking.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux only")
async def test_threads_that_keep_a_core_busy_come_after_the_event_loop_as_well() -> None:
    blocking = Blocking(1)
    try:
        own = await blocking.heavily(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        assert own > os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    finally:
        blocking.close()


async def test_short_calls_go_on_while_heavy_ones_take_all_their_threads() -> None:
    blocking, released = Blocking(1), threading.Event()
    running, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        released.wait(20)
        with lock:
            running -= 1

    calls = [blocking.heavily(work) for _ in range(8)]
    assert await blocking(int, "7") == 7
    released.set()
    await asyncio.gather(*calls)
    assert most <= 2
    blocking.close()


async def test_heavy_work_rests_only_where_more_of_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr("cheesebox.cache.blocking.time.sleep", rests.append)
    blocking = Blocking(1)
    await blocking.heavily(blocking.breathe)
    assert rests == []

    released = threading.Event()

    def work() -> None:
        released.wait(20)
        blocking.breathe()

    calls = [blocking.heavily(work) for _ in range(8)]
    released.set()
    await asyncio.gather(*calls)
    assert rests
    blocking.close()
