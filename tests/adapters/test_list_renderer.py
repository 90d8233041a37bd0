"""The program that renders the project list: what it writes, what it says when it cannot."""

from __future__ import annotations

import asyncio
import gzip
import os
import resource
from typing import TYPE_CHECKING

import msgspec
import pytest

from cheesebox.adapters.list_renderer import ProcessListRenderer
from cheesebox.cache import envelope
from cheesebox.cache.representations import etag_of
from cheesebox.errors import StoreError, UnreadablePage
from cheesebox.ports import Entry, Key, Kind
from cheesebox.simple.negotiation import Coding, Format

if TYPE_CHECKING:
    from pathlib import Path

JSON = "application/vnd.pypi.simple.v1+json"


def stored(body: bytes) -> bytes:
    """Make the page as it lies on disk."""
    url = "https://index.example/simple/"
    entry = Entry(
        Key("pypi/simple.page"), Kind.LIST, 0, envelope.digest_of(body), url, url, content_type=JSON
    )
    return envelope.pack(entry) + body


def listing(count: int) -> bytes:
    projects = [{"name": f"project-{number:06}", "_last-serial": number} for number in range(count)]
    return msgspec.json.encode({"meta": {"api-version": "1.1"}, "projects": projects})


def render(
    folder: Path, page: bytes, form: Format, coding: Coding, time_limit: float = 60.0
) -> tuple[bytes, str]:
    """Run the program on two files; gives what it wrote and the entity tag."""
    (folder / "source").write_bytes(page)
    source = os.open(folder / "source", os.O_RDONLY)
    target = os.open(folder / "target", os.O_RDWR | os.O_CREAT)
    try:
        etag = asyncio.run(ProcessListRenderer(time_limit).render(source, target, form, coding))
        return (folder / "target").read_bytes(), etag
    finally:
        os.close(source)
        os.close(target)


def test_it_writes_the_representation_and_tells_its_entity_tag(tmp_path: Path) -> None:
    made, etag = render(tmp_path, stored(listing(3)), Format.HTML, Coding.GZIP)
    assert gzip.decompress(made).count(b"<a ") == 3
    assert etag == etag_of(made, Format.HTML.content_type)


def test_an_unreadable_list_is_told_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePage, match="has no 'projects'"):
        render(tmp_path, stored(b'{"meta": {"api-version": "1.1"}}'), Format.JSON, Coding.IDENTITY)


def test_a_damaged_list_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePage, match="damaged"):
        render(tmp_path, stored(listing(3))[:-1], Format.JSON, Coding.IDENTITY)


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not rendered in 0 s"):
        render(tmp_path, stored(listing(3)), Format.JSON, Coding.IDENTITY, time_limit=0.0)


def test_a_target_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(stored(listing(3)))
    source = os.open(tmp_path / "source", os.O_RDONLY)
    try:
        work = ProcessListRenderer().render(source, source, Format.JSON, Coding.IDENTITY)
        with pytest.raises(StoreError, match="not rendered"):
            asyncio.run(work)
    finally:
        os.close(source)


def test_a_program_that_cannot_be_started_is_a_store_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere"))
    with pytest.raises(StoreError, match="cannot be rendered"):
        render(tmp_path, stored(listing(3)), Format.JSON, Coding.IDENTITY)


def test_a_large_list_leaves_the_event_loop_and_the_memory_of_its_parent_alone(tmp_path: Path) -> None:
    """300,000 names, 16 MB: the parent neither reads them nor waits for them."""
    page = stored(listing(300_000))
    (tmp_path / "source").write_bytes(page)
    size = len(page)
    del page
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while True:
            start = loop.time()
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - start)

    async def work() -> None:
        source = os.open(tmp_path / "source", os.O_RDONLY)
        target = os.open(tmp_path / "target", os.O_RDWR | os.O_CREAT)
        watcher = asyncio.create_task(watch())
        try:
            await ProcessListRenderer().render(source, target, Format.HTML, Coding.IDENTITY)
        finally:
            watcher.cancel()
            os.close(source)
            os.close(target)

    asyncio.run(work())
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < size / 2
    assert longest < 0.5
    assert (tmp_path / "target").stat().st_size > size / 2
