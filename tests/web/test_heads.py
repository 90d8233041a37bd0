from __future__ import annotations

import pytest

from cheesebox.cache.downloads import FileHead
from cheesebox.cache.freshness import Verdict
from cheesebox.simple.negotiation import Coding
from cheesebox.web import heads
from tests.web.structured_fields import cache_status


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("max_age", [None, 0, 300])
@pytest.mark.parametrize("collapsed", [False, True])
def test_every_way_of_serving_has_a_valid_cache_status(verdict, max_age, collapsed):
    told = cache_status(heads.cache_status(verdict, max_age, collapsed=collapsed))

    is_hit = verdict in (Verdict.HIT, Verdict.UPDATING, Verdict.STALE)
    assert told.get("hit", False) is is_hit
    assert told.get("collapsed", False) is (collapsed and not is_hit)
    if is_hit and verdict is not Verdict.HIT:
        assert (told["ttl"], told["detail"]) == ("0", verdict.value)
    else:
        assert told.get("ttl") == (None if max_age is None else str(max_age))


@pytest.mark.parametrize(("serial", "told"), [(None, None), (0, "0"), (77, "77")])
def test_a_serial_is_told_if_there_is_one(serial, told):
    assert dict(heads.page_head('"e"', 5, serial, "Accept")).get("x-pypi-last-serial") == told


@pytest.mark.parametrize(
    ("coding", "told"), [(Coding.IDENTITY, None), (Coding.GZIP, "gzip"), (Coding.ZSTD, "zstd")]
)
def test_only_a_coded_body_has_a_content_encoding(coding, told):
    assert dict(heads.body_head("text/html", coding, 5)).get("content-encoding") == told


@pytest.mark.parametrize(
    ("upstream", "told"),
    [
        ("Wed, 01 Jan 2025 00:00:00 GMT", "Wed, 01 Jan 2025 00:00:00 GMT"),
        ("", None),
        ("Mi, 1. Jänner", None),
        ("日", None),
    ],
)
def test_a_last_modified_that_no_header_can_carry_is_left_out(upstream, told):
    assert dict(heads.file_head(FileHead(5, '"e"', upstream))).get("last-modified") == told


def test_a_body_of_a_file_is_octets():
    assert dict(heads.file_body_head(5)) == {
        "content-type": "application/octet-stream",
        "accept-ranges": "bytes",
        "content-length": "5",
    }
