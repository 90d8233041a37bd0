"""Waiting is bounded, and the time in which the process stood still is not held against the other side."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
import uvloop

from cheesebox.adapters.bounds import answered_within

LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])


async def answer_to(question: asyncio.Event, ours: socket.socket) -> bytes:
    async with answered_within(0.05):
        question.set()
        return await asyncio.get_running_loop().sock_recv(ours, 10)


@LOOPS
def test_an_answer_that_came_while_the_process_stood_still_is_read(new_loop):
    async def stopped() -> bytes:
        asked = asyncio.Event()
        waiting = asyncio.create_task(answer_to(asked, ours))
        await asked.wait()
        theirs.send(b"answer")
        time.sleep(0.4)  # noqa: ASYNC251 - this is what a stopped process does
        return await waiting

    ours, theirs = socket.socketpair()
    with asyncio.Runner(loop_factory=new_loop) as runner, ours, theirs:
        ours.setblocking(False)
        assert runner.run(stopped()) == b"answer"


@LOOPS
def test_an_answer_that_does_not_come_is_waited_for_so_long_and_no_longer(new_loop):
    ours, theirs = socket.socketpair()
    with asyncio.Runner(loop_factory=new_loop) as runner, ours, theirs:
        ours.setblocking(False)
        with pytest.raises(TimeoutError):
            runner.run(answer_to(asyncio.Event(), ours))
