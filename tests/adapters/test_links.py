import asyncio
import os
import socket

import pytest

from cheesebox.adapters.links import Doorbell
from cheesebox.errors import LinkLost


@pytest.fixture
def doorbells():
    ends = [Doorbell(sock) for sock in socket.socketpair()]
    yield ends
    for end in ends:
        end.close()


async def pair(doorbells):
    """Give both ends of a link."""
    inside, outside = doorbells
    ours = await outside.ring()
    links = inside.links()
    theirs = await anext(links)
    await links.aclose()
    return ours, theirs


async def test_frames_of_any_size_come_in_their_order(doorbells):
    ours, theirs = await pair(doorbells)
    frames = [b"", b"x", b"y" * 3_000_000, b"z"]

    async def send():
        for frame in frames:
            await ours.send(frame)

    sending = asyncio.create_task(send())
    assert [await theirs.receive() for _ in frames] == frames
    await sending
    ours.close()
    theirs.close()


async def test_an_open_file_goes_along_with_its_frame(doorbells, tmp_path):
    ours, theirs = await pair(doorbells)
    for name in ("first", "second"):
        (tmp_path / name).write_text(name)
        with (tmp_path / name).open("rb") as file:
            await ours.send(b"", None)
            await ours.send(name.encode(), file.fileno())
    for name in ("first", "second"):
        assert await theirs.receive() == b""
        assert await theirs.receive() == name.encode()
        with os.fdopen(theirs.take_file()) as file:
            assert file.read() == name
    with pytest.raises(LinkLost):
        theirs.take_file()
    ours.close()
    theirs.close()


async def test_what_is_handed_in_while_nobody_is_there_waits(doorbells):
    inside, outside = doorbells
    ours = await outside.ring()
    await ours.send(b"early")
    links = inside.links()
    theirs = await anext(links)
    await links.aclose()
    assert await theirs.receive() == b"early"
    ours.close()
    theirs.close()


async def test_a_lost_link_is_told_to_who_reads_writes_or_watches(doorbells):
    ours, theirs = await pair(doorbells)
    assert ours.is_quiet
    watching = asyncio.create_task(ours.wait_lost())
    theirs.close()
    await watching
    assert not ours.is_quiet
    with pytest.raises(LinkLost):
        await ours.receive()
    with pytest.raises(LinkLost):
        await ours.send(b"x")
    ours.close()


async def test_a_cancelled_watch_does_not_take_the_wakeup_of_a_reader(doorbells):
    ours, theirs = await pair(doorbells)
    watching = asyncio.create_task(theirs.wait_lost())
    await asyncio.sleep(0)
    reading = asyncio.create_task(theirs.receive())
    await asyncio.sleep(0)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await ours.send(b"x")
    assert await reading == b"x"
    ours.close()
    theirs.close()


async def test_a_cancelled_read_loses_nothing(doorbells):
    ours, theirs = await pair(doorbells)
    reading = asyncio.create_task(theirs.receive())
    ours._socket.send(b"\0\0")  # half a length
    await asyncio.sleep(0.01)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    ours._socket.send(b"\0\1x")
    assert await theirs.receive() == b"x"
    ours.close()
    theirs.close()
