"""Store and catalogue in step, whatever ends the program and whenever."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from cheesebox.adapters.disk_store import DiskStore
from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.ports import Entry, Key, Kind
from tests.cache.fakes import files_below
from tests.cache.house import House
from tests.cache.stored import assert_in_step, bytes_on_disk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("seed", range(5))
async def test_admissions_and_removals_of_one_key_leave_no_orphan(root: Path, seed: int) -> None:
    order = random.Random(seed)
    async with House(root) as house:
        entries = [
            Entry(Key("pypi/simple/a.page"), Kind.PAGE, 0, "", "", fetched_at=float(n)) for n in range(12)
        ]
        work = [house.shelf.write_page(entry, b"x" * number) for number, entry in enumerate(entries)]
        removals = [house.shelf.forget(Key("pypi/simple/a.page")) for _ in range(12)]
        # One flight writes a page at a time, evictions come whenever they like.

        async def write_all() -> None:
            for each in work:
                await each

        async def remove_all() -> None:
            for each in removals:
                await asyncio.sleep(order.random() / 500)
                await each

        await asyncio.gather(write_all(), remove_all())
        assert {entry.key for entry in house.catalogue.entries()} == files_below(root)
        assert house.catalogue.totals().size == bytes_on_disk(root)
        assert house.catalogue.announced() == house.catalogue.doomed() == []


class Crash(BaseException):
    """The program is killed here."""


STEPS = [
    (SqliteCatalogue, "announce", "before"),
    (SqliteCatalogue, "announce", "after"),
    (DiskStore, "admit", "before"),
    (DiskStore, "admit", "after"),
    (SqliteCatalogue, "confirm", "before"),
    (SqliteCatalogue, "confirm", "after"),
]
REMOVALS = [
    (SqliteCatalogue, "doom", "before"),
    (SqliteCatalogue, "doom", "after"),
    (DiskStore, "remove", "before"),
    (DiskStore, "remove", "after"),
    (SqliteCatalogue, "forget", "before"),
    (SqliteCatalogue, "forget", "after"),
]


def crash_at(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, moment: str) -> None:
    """Let the step end the program, before or after its work."""
    work = getattr(owner, name)

    def end(*args: object) -> None:
        if moment == "after":
            work(*args)
        raise Crash

    monkeypatch.setattr(owner, name, end)


def file_entry(key: Key, size: int) -> Entry:
    return Entry(key, Kind.FILE, size, "", "https://host.example/")


@pytest.mark.parametrize(("owner", "name", "moment"), STEPS)
@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "new"])
async def test_a_crash_in_an_admission_is_settled(
    root: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, moment: str, *, replaced: bool
) -> None:
    key = Key("pypi/packages/a.whl")
    async with House(root) as house:
        if replaced:
            await _admit(house, key, b"old content")
        with monkeypatch.context() as patch:
            crash_at(patch, owner, name, moment)
            with pytest.raises(Crash):
                await _admit(house, key, b"the new")
    async with House(root) as house:
        assert_in_step(house, root)
        entry = house.catalogue.get(key)
        if entry is not None:
            assert (root / key).read_bytes() == {11: b"old content", 7: b"the new"}[entry.size]


async def _admit(house: House, key: Key, content: bytes) -> None:
    part = house.disk.begin(key)
    part.append([content])
    reservation = house.room.reserve()
    try:
        await house.shelf.admit(part, file_entry(key, len(content)), reservation)
    finally:
        reservation.release()
        part.close()


@pytest.mark.parametrize(("owner", "name", "moment"), STEPS)
@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "new"])
async def test_a_crash_in_the_writing_of_a_page_is_settled(
    root: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, moment: str, *, replaced: bool
) -> None:
    from cheesebox.cache import envelope

    def entry_for(body: bytes) -> Entry:
        return Entry(
            Key("pypi/simple/a.page"), Kind.PAGE, 0, envelope.digest_of(body), "https://host.example/"
        )

    async with House(root) as house:
        if replaced:
            await house.shelf.write_page(entry_for(b"old"), b"old")
        with monkeypatch.context() as patch:
            crash_at(patch, owner, name, moment)
            with pytest.raises(Crash):
                await house.shelf.write_page(entry_for(b"new"), b"new")
    async with House(root) as house:
        assert_in_step(house, root)
        found = await house.shelf.read_page(Key("pypi/simple/a.page"))
        if found is not None:
            assert found[0].digest == envelope.digest_of(found[1])


@pytest.mark.parametrize(("owner", "name", "moment"), REMOVALS)
async def test_a_crash_in_a_removal_is_settled(
    root: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, moment: str
) -> None:
    keys = [Key(f"pypi/packages/{name}.whl") for name in "abc"]
    async with House(root) as house:
        for key in keys:
            await _admit(house, key, b"content")
        with monkeypatch.context() as patch:
            crash_at(patch, owner, name, moment)
            with pytest.raises(Crash):
                house.room.remove(keys[:2])
    async with House(root) as house:
        assert_in_step(house, root)
        assert house.catalogue.get(keys[2]) is not None
