"""Bodies whose length or digest is not what was promised."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from cheesebox.cache.files import Want
from cheesebox.cache.growing import WITHHELD
from cheesebox.errors import (
    BodyChanged,
    DigestMismatch,
    UpstreamBroken,
)
from tests.cache.demo_wheel import BODY, LENGTH, PATH, SMALL, URL, rest_of
from tests.cache.fakes import (
    PAGES,
    Gate,
    Plan,
    files_below,
    json_page,
    page_plan,
    parts_below,
    whole_or_part,
)
from tests.cache.house import House, hashed_path, listed, url_of

if TYPE_CHECKING:
    from pathlib import Path


async def test_nobody_gets_the_last_bytes_of_a_file_with_a_wrong_digest(root: Path) -> None:
    wrong = BODY[:-1] + bytes([BODY[-1] ^ 1])
    received = bytearray()

    async def collect(house: House) -> None:
        opened = await house.files.open(PATH, Want.REST)
        try:
            async for chunk in opened.stream(0, None):
                received.extend(chunk)
        finally:
            opened.close()

    async with House(root) as house:
        house.upstream.serve(URL, wrong)
        with pytest.raises(DigestMismatch):
            await collect(house)
        assert bytes(received) == wrong[: len(received)]
        assert len(received) <= len(BODY) - WITHHELD
        await house.quiet()
        assert files_below(root) == set()
        assert parts_below(root) == []
        assert house.catalogue.totals().entries == 0


async def test_a_small_file_with_a_wrong_digest_fails_before_its_head(root: Path) -> None:
    path = hashed_path(SMALL)
    async with House(root) as house:
        house.upstream.serve(url_of(path), SMALL[:-1] + b"!")
        with pytest.raises(DigestMismatch):
            await house.files.open(path, Want.REST)
        assert files_below(root) == set()


async def test_a_file_whose_path_is_not_its_digest_is_verified_by_its_page(root: Path) -> None:
    path = hashed_path(b"something else")
    async with House(root) as house:
        house.upstream.plan(f"{PAGES}demo/", page_plan(json_page(listed(path, BODY))))
        house.upstream.serve(url_of(path), BODY)
        assert await house.read(path) == BODY
        assert await house.read(path) == BODY
        entry = house.catalogue.get(house.key(path))
        assert entry is not None
        assert entry.digest == f"sha256:{hashlib.sha256(BODY).hexdigest()}"
        assert len(house.upstream.asked(url_of(path))) == 1


async def test_a_file_that_neither_path_nor_page_vouches_for_is_refused(root: Path) -> None:
    path = hashed_path(b"something else")
    async with House(root) as house:
        house.upstream.plan(f"{PAGES}demo/", page_plan(json_page(listed(path, b"a third thing"))))
        house.upstream.serve(url_of(path), BODY)
        with pytest.raises(DigestMismatch):
            await house.read(path)
        await house.quiet()
        assert house.catalogue.get(house.key(path)) is None


async def test_a_body_without_content_length_is_streamed_and_verified(root: Path) -> None:
    gate = Gate()
    async with House(root) as house:
        house.upstream.plan(URL, Plan([BODY[:300_000], gate, BODY[300_000:]]))
        opened = await house.files.open(PATH, Want.REST)
        assert opened.head.size is None
        stream = opened.stream(0, None)
        first = await anext(stream)
        gate.opened.set()
        assert first + await rest_of(stream) == BODY
        opened.close()


async def test_a_body_that_is_longer_than_promised_is_cut(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, Plan([BODY, b"more"], headers=LENGTH))
        with pytest.raises(BodyChanged):
            await house.read(PATH)
        await house.quiet()
        assert files_below(root) == set()


async def test_a_body_that_ends_too_early_is_resumed(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(
            URL, Plan([BODY[:300_000]], headers=LENGTH), lambda request: whole_or_part(BODY, request)
        )
        assert await house.read(PATH) == BODY


async def test_a_body_that_always_ends_too_early_fails(root: Path) -> None:
    async with House(root) as house:
        empty = Plan([], 206, {"Content-Range": f"bytes 300000-{len(BODY) - 1}/{len(BODY)}"})
        house.upstream.plan(URL, Plan([BODY[:300_000]], headers=LENGTH), empty)
        with pytest.raises(UpstreamBroken):
            await house.read(PATH)


@pytest.mark.parametrize("told", [True, False])
async def test_a_file_larger_than_the_limit_is_refused(root: Path, *, told: bool) -> None:
    async with House(root, max_file_size=100_000) as house:
        house.upstream.plan(URL, Plan([BODY], headers=LENGTH if told else {}))
        with pytest.raises(BodyChanged):
            await house.read(PATH)
        await house.quiet()
        assert parts_below(root) == []


async def test_an_encoded_file_is_refused(root: Path) -> None:
    async with House(root) as house:
        house.upstream.plan(URL, Plan([BODY], headers={"Content-Encoding": "gzip"}))
        with pytest.raises(UpstreamBroken):
            await house.read(PATH)


async def test_an_empty_file_is_a_file(root: Path) -> None:
    path = hashed_path(b"")
    async with House(root) as house:
        house.upstream.plan(url_of(path), Plan([], headers={"Content-Length": "0"}))
        assert await house.read(path) == b""
        assert await house.read(path) == b""
        assert len(house.upstream.requests) == 1
