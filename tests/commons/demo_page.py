"""The page of one project that nodes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cheesebox.errors import UpstreamUnreachable
from tests.cache.fakes import PAGES, Plan, Request, json_page, page_plan

if TYPE_CHECKING:
    from tests.commons.town import Town

URL = f"{PAGES}demo/"
FIRST = json_page({"filename": "demo-1.0.tar.gz", "url": "demo-1.0.tar.gz", "hashes": {}})
SECOND = json_page({"filename": "demo-2.0.tar.gz", "url": "demo-2.0.tar.gz", "hashes": {}})
DOWN = Plan(before=UpstreamUnreachable("the upstream is down"))


def serve(town: Town, body: bytes, etag: str, serial: int | None = None) -> None:
    """Answer as an index does that knows conditional requests."""

    def plan(request: Request) -> Plan:
        if request.headers.get("If-None-Match") == etag:
            return Plan(status=304)
        return page_plan(body, etag=etag, serial=serial)

    town.upstream.plan(URL, plan)


async def version(node) -> str:
    page = msgspec.json.decode(await node.page())
    return page["files"][0]["filename"].removeprefix("demo-").removesuffix(".tar.gz")
