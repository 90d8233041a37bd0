"""A lost catalogue is rebuilt from what is on disk, and nothing wrong is taken in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.files import Want
from cheesebox.errors import NotFound, UpstreamTimeout
from cheesebox.simple.paths import FilePath
from tests.cache.fakes import PAGES, Gate, Plan, files_below, json_page, page_plan
from tests.cache.house import House, hashed_path, listed, url_of
from tests.cache.stored import BODY, PATH, assert_in_step, fetch_all

if TYPE_CHECKING:
    from pathlib import Path

    from cheesebox.cache.origins import Origin
    from cheesebox.ports import Key


def lose_catalogue(root: Path) -> None:
    for path in root.glob("catalogue.sqlite*"):
        path.unlink()


async def rebuild(house: House) -> int:
    async def find(key: Key) -> Origin:
        return await house.origins.find(FilePath(key.partition("/")[2]))

    return await house.adoption.rebuild(find)


WHEEL = hashed_path(b"wheel")
METADATA = FilePath(f"{WHEEL}.metadata")


async def fill(house: House) -> None:
    """Store a page, its wheel, the wheel's metadata, and a file whose path has no digest."""
    import hashlib

    told = {"core-metadata": {"sha256": hashlib.sha256(b"Name: demo").hexdigest()}}
    plain = FilePath("packages/old/demo-0.1.tar.gz")
    page = json_page(listed(WHEEL, b"wheel", **told), listed(plain, b"sdist"))
    house.upstream.plan(f"{PAGES}demo/", page_plan(page))
    house.upstream.serve(url_of(WHEEL), b"wheel")
    house.upstream.serve(url_of(METADATA), b"Name: demo")
    house.upstream.serve(url_of(plain), b"sdist")
    await house.page()
    for path in (WHEEL, METADATA, plain):
        await house.read(path)
        await house.quiet()


@pytest.mark.parametrize("base", ["https://files.example/packages/", None], ids=["base set", "base learnt"])
async def test_a_lost_catalogue_is_rebuilt_without_the_upstream(root: Path, base: str | None) -> None:
    async with House(root, upstream_files=base) as house:
        await fill(house)
        stored = {
            entry.key: (entry.kind, entry.size, entry.digest, entry.etag)
            for entry in house.catalogue.entries()
        }
        now = house.clock.now
    assert len(stored) == 4
    lose_catalogue(root)
    async with House(root, upstream_files=base) as house:
        house.clock.now = now + 3600
        house.upstream.plan(f"{PAGES}demo/", Plan(before=UpstreamTimeout("down")))
        assert await rebuild(house) == 4
        assert_in_step(house, root)
        rebuilt = {
            entry.key: (entry.kind, entry.size, entry.digest, entry.etag)
            for entry in house.catalogue.entries()
        }
        assert rebuilt == stored
        assert await house.read(METADATA) == b"Name: demo"
        assert house.upstream.asked(url_of(METADATA)) == []


async def test_a_file_that_was_altered_meanwhile_is_removed_by_the_rebuild(root: Path) -> None:
    async with House(root) as house:
        await fill(house)
        now = house.clock.now
    lose_catalogue(root)
    (root / "pypi" / WHEEL).write_bytes(b"whale")
    (root / "pypi" / METADATA).write_bytes(b"Name: dome")
    (root / "pypi" / "packages" / "stranger-1.0.tar.gz").write_bytes(b"who am I")
    (root / "pypi" / "simple" / "broken.page").write_bytes(b"{}\nno page")
    async with House(root) as house:
        house.clock.now = now
        assert await rebuild(house) == 2
        assert_in_step(house, root)
        assert not (root / "pypi" / WHEEL).exists()


async def test_a_page_under_another_name_is_removed_by_the_rebuild(root: Path) -> None:
    async with House(root) as house:
        await fill(house)
    lose_catalogue(root)
    (root / "pypi/simple/demo.page").rename(root / "pypi/simple/other.page")
    async with House(root) as house:
        house.upstream.plan(f"{PAGES}demo/", Plan(status=404))
        assert await rebuild(house) == 1  # the wheel, which its path vouches for
        assert files_below(root) == {f"pypi/{WHEEL}"}


async def test_a_file_is_taken_back_when_it_is_asked_for_before_the_rebuild(root: Path) -> None:
    async with House(root) as house:
        await fetch_all(house, [BODY])
    lose_catalogue(root)
    async with House(root) as house:
        assert await house.read(PATH) == BODY
        assert house.upstream.requests == []
        assert_in_step(house, root)


async def test_many_readers_verify_an_uncatalogued_file_once(root: Path) -> None:
    async with House(root) as house:
        await fetch_all(house, [BODY])
    lose_catalogue(root)
    (root / "pypi" / PATH).write_bytes(b"x" * len(BODY))
    async with House(root) as house:
        house.upstream.serve(url_of(PATH), BODY)
        assert set(await asyncio.gather(*(house.read(PATH) for _ in range(20)))) == {BODY}
        assert len(house.upstream.requests) == 1


async def test_a_file_evicted_while_it_is_verified_gets_no_entry(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with House(root) as house:
        await fetch_all(house, [BODY])
        key = house.key(PATH)
        origin = await house.origins.find(PATH)
        house.catalogue.doom([key])  # an eviction has hidden the entry and not yet removed the file

        def evict_meanwhile(*_: object) -> bool:
            house.room.remove([key])
            return True

        monkeypatch.setattr("cheesebox.cache.adoption.matches", evict_meanwhile)
        assert not await house.adoption.adopt(origin)
        assert_in_step(house, root)


async def test_the_rebuild_passes_by_what_is_being_downloaded(root: Path) -> None:
    gate = Gate()
    async with House(root) as house:
        house.upstream.plan(url_of(PATH), Plan([BODY[:50_000], gate, BODY[50_000:]]))
        reading = asyncio.create_task(house.read(PATH))
        await gate.reached.wait()
        assert await rebuild(house) == 0
        gate.opened.set()
        assert await reading == BODY
        await house.quiet()
        assert_in_step(house, root)


async def test_an_entry_whose_file_cannot_be_told_from_wrong_ones_is_never_adopted(root: Path) -> None:
    path = FilePath("packages/old/demo-0.1.tar.gz")
    async with House(root) as house:
        (root / "pypi/packages/old").mkdir(parents=True)
        (root / "pypi" / path).write_bytes(b"what is this")
        bare = listed(path, b"")
        bare["hashes"] = {}
        house.upstream.plan(f"{PAGES}demo/", page_plan(json_page(bare)))
        house.upstream.serve(url_of(path), b"the real file")
        assert await house.read(path) == b"the real file"


async def test_a_file_that_no_page_names_is_not_asked_for(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(f"{PAGES}demo/", page_plan(json_page()))
        with pytest.raises(NotFound):
            await house.files.open(FilePath("files/evil.example/demo-1.0.tar.gz"), Want.REST)
        assert {request.url for request in house.upstream.requests} == {f"{PAGES}demo/"}
