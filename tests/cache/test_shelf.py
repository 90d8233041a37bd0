"""Stored files that are not as they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.downloads import head_of
from cheesebox.cache.files import Want
from cheesebox.cache.verification import look
from cheesebox.errors import StoreError
from tests.cache.fakes import PAGES, json_page, page_plan
from tests.cache.house import House, drain, url_of
from tests.cache.stored import BODY, PATH, fetch_all, is_stored

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("damage", ["truncated", "longer", "gone", "a folder"])
async def test_a_file_of_another_size_is_fetched_again(root: Path, damage: str) -> None:
    async with House(root) as house:
        await fetch_all(house, [BODY])
        path = root / house.key(PATH)
        if damage == "truncated":
            path.write_bytes(BODY[:-1])
        elif damage == "longer":
            path.write_bytes(BODY + b"x")
        else:
            path.unlink()
            if damage == "a folder":
                path.mkdir()
                path.rmdir()
        assert await house.read(PATH) == BODY
        await house.quiet()
        assert path.read_bytes() == BODY
        assert len(house.upstream.asked(url_of(PATH))) == 2


async def test_an_altered_file_is_found_by_verification(root: Path) -> None:
    async with House(root) as house:
        await fetch_all(house, [BODY])
        entry = house.catalogue.get(house.key(PATH))
        assert entry is not None
        assert look(house.disk, entry) is None
        (root / entry.key).write_bytes(b"x" + BODY[1:])
        assert look(house.disk, entry) is not None
        (root / entry.key).write_bytes(BODY[1:])
        assert look(house.disk, entry) is not None
        (root / entry.key).unlink()
        assert look(house.disk, entry) is not None


async def test_a_page_is_verified_by_its_own_head_line(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(f"{PAGES}demo/", page_plan(json_page()))
        await house.page()
        entry = house.catalogue.get(house.index.key("simple/demo.page"))
        assert entry is not None
        assert look(house.disk, entry) is None
        path = root / entry.key
        path.write_bytes(path.read_bytes().replace(b"files", b"felis"))
        assert look(house.disk, entry) is not None


async def test_a_file_replaced_while_it_is_opened_is_not_forgotten(root: Path) -> None:
    async with House(root) as house:
        await fetch_all(house, [BODY])
        old = house.catalogue.get(house.key(PATH))
        assert old is not None
        await house.shelf.forget(old.key)
        house.clock.pass_time(10)
        await house.read(PATH)
        await house.quiet()
        (root / old.key).rename(root / "aside")
        opening = house.shelf.open(old)  # its reader looked before the eviction
        (root / "aside").rename(root / old.key)
        blob = await opening
        assert blob is not None
        blob.close()
        assert is_stored(house, BODY)


async def test_a_store_error_of_a_lookup_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with House(root) as house:
        await fetch_all(house, [BODY])

        def refuse(*_: object) -> None:
            raise StoreError("too many open files")

        monkeypatch.setattr(house.disk._store, "open", refuse)
        with pytest.raises(StoreError):
            await house.read(PATH)
        assert is_stored(house, BODY)
        monkeypatch.undo()
        opened = await house.files.open(PATH, Want.REST)
        assert opened.head == head_of(await house.origins.find(PATH), len(BODY), "", "")
        assert await drain(opened) == BODY
