"""Files to store, and what is stored of them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.cache.fakes import files_below, parts_below
from tests.cache.house import House, hashed_path, url_of

if TYPE_CHECKING:
    from pathlib import Path

BODY = random.Random(1).randbytes(100_000)
PATH = hashed_path(BODY)


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


def bytes_on_disk(root: Path) -> int:
    kept = sum((root / key).stat().st_size for key in files_below(root))
    return kept + sum(part.stat().st_size for part in parts_below(root))


def assert_in_step(house: House, root: Path) -> None:
    assert {entry.key for entry in house.catalogue.entries()} == files_below(root)
    assert house.catalogue.totals().size == bytes_on_disk(root)
    assert house.catalogue.totals().entries == len(files_below(root))
    assert house.catalogue.announced() == house.catalogue.doomed() == []
    assert parts_below(root) == []
