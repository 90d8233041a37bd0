"""One file as its upstream has it."""

from __future__ import annotations

import random

from cheesebox.errors import (
    UpstreamUnreachable,
)
from tests.cache.house import hashed_path, url_of

BODY = random.Random(1).randbytes(400_000)
SMALL = BODY[:5000]
PATH = hashed_path(BODY)
URL = url_of(PATH)
LENGTH = {"Content-Length": str(len(BODY)), "ETag": '"v1"'}
DROP = UpstreamUnreachable("the connection was cut")


async def rest_of(stream: object) -> bytes:
    return b"".join([chunk async for chunk in stream])  # type: ignore[attr-defined]
