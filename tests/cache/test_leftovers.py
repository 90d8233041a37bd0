"""What a killed program left of a download is gone on with, if it can be; never a wrong byte either way."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from cheesebox.adapters.disk_store import PartFile, part_name
from cheesebox.adapters.part_notes import DiskPartNotes
from cheesebox.cache.leftovers import Leftovers, PartFacts
from cheesebox.cache.origins import Origin
from cheesebox.errors import DigestMismatch
from cheesebox.ports import Kind
from tests.cache.fakes import Plan, parts_below, whole_or_part
from tests.cache.house import House, hashed_path, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cache.fakes import Request

BODY = random.Random(7).randbytes(1_500_000)
PATH = hashed_path(BODY)
URL = url_of(PATH)
HALF = 700_000


def answer(request: Request) -> Plan:
    return whole_or_part(BODY, request)


async def leave(house: House, left: bytes, **changes: object) -> Leftovers:
    """Let a part lie there as a killed program would; ``changes`` are of its facts."""
    key = house.key(PATH)
    notes = DiskPartNotes(house.root / ".parts")
    part = PartFile(house.root / ".parts" / part_name(key))
    part.append([left])
    part.close()
    origin = await house.origins.find(PATH)
    facts = {"url": URL, "validator": '"v1"', "total": len(BODY), "digest": origin.digest, **changes}
    notes.note(PartFacts(key=key, **facts))  # type: ignore[arg-type]
    leftovers = Leftovers(notes, house.room, house.blocking)
    await leftovers.open()
    house.shelf.leftovers = leftovers
    return leftovers


async def test_a_download_goes_on_from_the_bytes_on_disk(root: Path) -> None:
    async with House(root) as house:
        await leave(house, BODY[:HALF])
        assert house.room.statistics().reserved == HALF
        house.upstream.plan(URL, answer)
        assert await house.read(PATH) == BODY
        [request] = house.upstream.requests
        assert request.headers["Range"] == f"bytes={HALF}-"
        assert request.headers["If-Range"] == '"v1"'
        await house.quiet()
        assert house.room.statistics().reserved == 0
        assert await house.read(PATH) == BODY
    assert parts_below(root) == []


async def test_another_version_upstream_is_fetched_whole(root: Path) -> None:
    async with House(root) as house:
        await leave(house, b"x" * HALF, validator='"v0"')
        house.upstream.plan(URL, answer)
        assert await house.read(PATH) == BODY
        assert len(house.upstream.requests) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        Plan([b""], 416, {"Content-Range": f"bytes */{len(BODY)}"}),
        Plan([BODY[HALF:]], 206, {"Content-Range": f"bytes {HALF}-{len(BODY)}/{len(BODY) + 1}"}),
        Plan(
            [BODY[HALF:]], 206, {"Content-Range": f"bytes {HALF}-{len(BODY) - 1}/{len(BODY)}", "ETag": '"v2"'}
        ),
    ],
)
async def test_an_upstream_that_does_not_go_on_is_asked_for_all(root: Path, refusal: Plan) -> None:
    async with House(root) as house:
        await leave(house, BODY[:HALF])
        house.upstream.plan(URL, refusal, Plan([BODY], headers={"Content-Length": str(len(BODY))}))
        assert await house.read(PATH) == BODY
        assert "Range" not in house.upstream.requests[1].headers


async def test_damaged_bytes_on_disk_are_found_and_given_to_nobody_whole(root: Path) -> None:
    async with House(root) as house:
        await leave(house, b"x" + BODY[1:HALF])
        house.upstream.plan(URL, answer)
        with pytest.raises(DigestMismatch):
            await house.read(PATH)
        await house.quiet()
        assert await house.read(PATH) == BODY


@pytest.mark.parametrize(
    "changes", [{"url": "http://elsewhere.example/x"}, {"digest": "sha256:00"}, {"total": HALF}]
)
async def test_a_part_of_something_else_is_not_used(root: Path, changes: dict[str, object]) -> None:
    async with House(root) as house:
        await leave(house, BODY[:HALF], **changes)
        house.upstream.plan(URL, answer)
        assert await house.read(PATH) == BODY
        assert "Range" not in house.upstream.requests[0].headers


async def test_what_is_too_old_or_not_known_is_removed_at_the_start(root: Path) -> None:
    async with House(root) as house:
        await leave(house, BODY[:HALF])
        folder = root / ".parts"
        (folder / "unknown.part").write_bytes(b"x")
        (folder / "lonely.part.json").write_bytes(b"{}")
        old = folder / part_name(house.key(PATH))
        os.utime(old, (1, 1))
        assert list(DiskPartNotes(folder).found()) == []
        assert list(folder.iterdir()) == []


async def test_only_large_parts_with_a_strong_validator_are_noted(root: Path) -> None:
    async with House(root) as house:
        notes = DiskPartNotes(root / ".parts")
        leftovers = Leftovers(notes, house.room, house.blocking)
        origin = Origin(house.key(PATH), Kind.FILE, URL, None)
        for validator, total in (('W/"v1"', 10**7), ("", 10**7), ('"v1"', 1000)):
            await leftovers.note(PartFacts(origin.key, URL, validator, total, ""))
        assert list((root / ".parts").iterdir()) == []
        await leftovers.note(PartFacts(origin.key, URL, '"v1"', 10**7, ""))
        assert [path.suffix for path in (root / ".parts").iterdir()] == [".json"]
