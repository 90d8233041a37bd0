"""The page of one project as its upstream has it, and what was answered of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.cache.freshness import Verdict
from cheesebox.errors import (
    UpstreamTimeout,
)
from tests.cache.fakes import PAGES, Plan, Request, json_page, page_plan
from tests.cache.house import House, hashed_path, listed

if TYPE_CHECKING:
    from cheesebox.cache.pages import PageAnswer

URL = f"{PAGES}demo/"
KEY = "pypi/simple/demo.page"
OLD = json_page()
NEW = json_page(listed(hashed_path(b"new"), b"new"))
DAY = 86400.0
DOWN = UpstreamTimeout("no answer")


def verdict(answer: PageAnswer) -> Verdict:
    return answer.answered.verdict


def is_new(answer: PageAnswer) -> bool:
    return b"demo-1.0-py3" in answer.representation.body


def confirms(request: Request) -> Plan:
    """Answer like an index whose page has not changed."""
    if request.headers.get("If-None-Match") == '"p1"':
        return Plan(status=304, headers={"ETag": '"p1"'})
    return page_plan(OLD)


async def filled(house: House, body: bytes = OLD, serial: int | None = None) -> None:
    """Fetch the page for the first time."""
    house.upstream.plan(URL, page_plan(body, serial=serial))
    assert verdict(await house.page()) is Verdict.MISS
