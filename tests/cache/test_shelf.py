"""Store and catalogue in step: limits kept, crashes settled, a lost catalogue rebuilt."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cheesebox.adapters.disk_store import DiskStore
from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.cache.downloads import head_of
from cheesebox.cache.eviction import Limits
from cheesebox.cache.files import Want
from cheesebox.cache.verification import look
from cheesebox.errors import NotFound, StoreError, StoreFull, UpstreamTimeout
from cheesebox.ports import Entry, Key, Kind
from cheesebox.simple.paths import FilePath
from tests.cache.fakes import PAGES, Gate, Plan, files_below, json_page, page_plan, parts_below
from tests.cache.house import House, drain, hashed_path, listed, url_of

if TYPE_CHECKING:
    from cheesebox.cache.origins import Origin

BODY = random.Random(1).randbytes(100_000)
PATH = hashed_path(BODY)
DAY = 86400.0


def bodies(count: int, size: int = 100_000) -> list[bytes]:
    return [random.Random(number).randbytes(size) for number in range(count)]


async def fetch_all(house: House, contents: list[bytes]) -> None:
    """Read each file once, in this order, a second apart, and wait for its admission."""
    for content in contents:
        path = hashed_path(content)
        house.upstream.serve(url_of(path), content)
        assert await house.read(path) == content
        await house.quiet()
        house.clock.pass_time(1)


def is_stored(house: House, content: bytes) -> bool:
    return house.catalogue.get(house.key(hashed_path(content))) is not None


def deleted_but_open(root: Path) -> list[str]:
    """Give the files below the root that have no name any more, and still take room."""
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [link for link in links if link.startswith(str(root)) and link.endswith("(deleted)")]


def bytes_on_disk(root: Path) -> int:
    kept = sum((root / key).stat().st_size for key in files_below(root))
    return kept + sum(part.stat().st_size for part in parts_below(root))


# ── limits


async def test_the_least_recently_used_file_goes_first(root: Path) -> None:
    first, second, third, fourth = bodies(4)
    async with House(root, limits=Limits(max_size=300_000)) as house:
        await fetch_all(house, [first, second, third])
        await house.read(hashed_path(first))
        await fetch_all(house, [fourth])
        assert [is_stored(house, content) for content in (first, second, third, fourth)] == [
            True,
            False,
            True,
            True,
        ]
        assert house.catalogue.totals().size == 300_000
        assert bytes_on_disk(root) == 300_000
        assert house.room.statistics().evicted_entries == 1
        assert house.room.statistics().evicted_bytes == 100_000


async def test_the_order_of_use_decides_after_a_restart_too(root: Path) -> None:
    first, second, third = bodies(3)
    async with House(root) as house:
        await fetch_all(house, [first, second])
        await house.read(hashed_path(first))
        now = house.clock.now
    async with House(root, limits=Limits(max_size=200_000)) as house:
        house.clock.now = now + 1
        await fetch_all(house, [third])
        assert [is_stored(house, content) for content in (first, second, third)] == [True, False, True]


async def test_max_entries_is_kept(root: Path) -> None:
    async with House(root, limits=Limits(max_size=1 << 30, max_entries=2)) as house:
        await fetch_all(house, bodies(5))
        assert house.catalogue.totals().entries == 2


async def test_min_free_is_kept(root: Path) -> None:
    contents = bodies(3)
    limits = Limits(max_size=1 << 30, min_free=1_000_000)
    async with House(root, limits=limits, capacity=1_250_000) as house:
        await fetch_all(house, contents)
        assert [is_stored(house, content) for content in contents] == [False, True, True]


async def test_a_file_too_large_for_the_limits_evicts_nothing(root: Path) -> None:
    small = bodies(2)
    async with House(root, limits=Limits(max_size=250_000)) as house:
        await fetch_all(house, small)
        await fetch_all(house, [random.Random(9).randbytes(250_001)])
        assert all(is_stored(house, content) for content in small)


async def test_a_file_of_untold_length_that_grows_too_large_evicts_no_more_than_can_help(root: Path) -> None:
    large = random.Random(9).randbytes(400_000)
    async with House(root, limits=Limits(max_size=300_000)) as house:
        steps = [large[start : start + 50_000] for start in range(0, len(large), 50_000)]
        house.upstream.plan(url_of(hashed_path(large)), Plan(steps), lambda _: Plan(steps))
        assert await house.read(hashed_path(large)) == large
        await house.quiet()
        assert bytes_on_disk(root) == 0
        assert house.room.statistics().reserved == 0


async def test_many_downloads_at_once_never_exceed_max_size_on_disk(root: Path) -> None:
    contents = bodies(24, 150_000)
    peaks: list[int] = []
    async with House(root, limits=Limits(max_size=1_000_000)) as house:
        for content in contents:
            steps = [content[start : start + 30_000] for start in range(0, len(content), 30_000)]
            headers = {"Content-Length": str(len(content))}
            house.upstream.plan(url_of(hashed_path(content)), Plan(steps, headers=headers))

        async def watch() -> None:
            while True:
                peaks.append(await asyncio.to_thread(_measured, house, root))
                await asyncio.sleep(0)

        watcher = asyncio.create_task(watch())
        got = await asyncio.gather(*(house.read(hashed_path(content)) for content in contents))
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        await house.quiet()
        assert got == contents
        assert max(peaks) <= 1_000_000
        assert house.catalogue.totals().size == bytes_on_disk(root)
        assert {entry.key for entry in house.catalogue.entries()} == files_below(root)


def _measured(house: House, root: Path) -> int:
    """Sum what lies on disk, while no name changes hands."""
    with house.room.names:
        kept = sum((root / key).stat().st_size for key in files_below(root))
        growing = 0
        for part in parts_below(root):
            with suppress(FileNotFoundError):  # the part of a reader that has left
                growing += part.stat().st_size
        return kept + growing


async def test_an_admission_costs_the_same_however_many_entries_there_are(root: Path) -> None:
    async with House(root, limits=Limits(max_size=1 << 40)) as house:
        steps: list[int] = []

        async def cost() -> int:
            count = 0

            def step() -> int:
                nonlocal count
                count += 1
                return 0

            house.catalogue._writer.set_progress_handler(step, 100)
            reservation = house.room.reserve()
            await reservation.extend(1000)
            reservation.release()
            house.catalogue._writer.set_progress_handler(None, 0)
            return count

        for number in (10, 3000):
            with house.catalogue._write() as db:
                db.executemany(
                    "INSERT OR REPLACE INTO entries "
                    "VALUES (?, 'file', 10, '', '', '', '', '', '', 0, 0, 0, ?, 0, '', 0)",
                    [(f"pypi/{each}", each) for each in range(number)],
                )
            steps.append(await cost())
        assert steps[1] <= steps[0] + 1


async def test_what_is_unused_for_long_is_swept(root: Path) -> None:
    old, young = bodies(2)
    async with House(root, limits=Limits(max_size=1 << 30, inactive=30 * DAY)) as house:
        await fetch_all(house, [old])
        house.clock.pass_time(29 * DAY)
        await fetch_all(house, [young])
        assert await house.room.sweep() == 0
        house.clock.pass_time(1 * DAY)
        assert await house.room.sweep() == 1
        assert [is_stored(house, content) for content in (old, young)] == [False, True]


async def test_lower_limits_than_before_are_enforced_by_the_sweep(root: Path) -> None:
    contents = bodies(4)
    async with House(root) as house:
        await fetch_all(house, contents)
        now = house.clock.now
    async with House(root, limits=Limits(max_size=250_000)) as house:
        house.clock.now = now
        assert await house.room.sweep() == 2
        assert [is_stored(house, content) for content in contents] == [False, False, True, True]


async def test_no_handle_of_an_evicted_file_is_kept(root: Path) -> None:
    contents = bodies(2)
    async with House(root, limits=Limits(max_size=150_000)) as house:
        await fetch_all(house, contents[:1])
        await house.read(hashed_path(contents[0]))
        await fetch_all(house, contents[1:])
        assert deleted_but_open(root) == []


async def test_a_disk_that_others_filled_does_not_empty_the_cache_in_vain(root: Path) -> None:
    contents = bodies(2)
    async with House(root, limits=Limits(max_size=1 << 30, min_free=10_000_000), capacity=1 << 40) as house:
        await fetch_all(house, contents)
        house.disk.capacity = 0
        assert await house.room.sweep() == 0
        assert all(is_stored(house, content) for content in contents)


async def test_reservations_that_do_not_fit_together_are_refused(root: Path) -> None:
    async with House(root, limits=Limits(max_size=1000)) as house:
        first, second = house.room.reserve(), house.room.reserve()
        await first.extend(600)
        with pytest.raises(StoreFull):
            await second.extend(600)
        first.release()
        first.release()
        await second.extend(600)
        second.release()


# ── files that are not as they were


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


# ── an admission against an eviction of the same key


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


# ── crashes


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


def assert_in_step(house: House, root: Path) -> None:
    assert {entry.key for entry in house.catalogue.entries()} == files_below(root)
    assert house.catalogue.totals().size == bytes_on_disk(root)
    assert house.catalogue.totals().entries == len(files_below(root))
    assert house.catalogue.announced() == house.catalogue.doomed() == []
    assert parts_below(root) == []


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


# ── a lost catalogue


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


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400)), max_size=15))
def test_any_sequence_of_writes_keeps_the_limit_and_stays_in_step(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    root = tmp_path_factory.mktemp("cache")

    async def write_all() -> None:
        async with House(root, limits=Limits(max_size=1000, max_entries=4)) as house:
            for number, size in steps:
                entry = Entry(
                    Key(f"pypi/simple/{number}.page"), Kind.PAGE, 0, "", "", last_used=house.clock()
                )
                house.clock.pass_time(1)
                await house.shelf.write_page(entry, b"x" * size)
                assert house.catalogue.totals().size <= 1000
                assert house.catalogue.totals().entries <= 4
                assert_in_step(house, root)

    asyncio.run(write_all())


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
