"""What a request asks the dashboard for, read from its query. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from cheesebox.errors import InvalidRequest
from cheesebox.ports import Order
from cheesebox.web.dashboard.series import DAY, WINDOWS

if TYPE_CHECKING:
    from cheesebox.web.dashboard.series import Window
    from cheesebox.web.http import Request

_PAGE = 100
_FARTHEST = 10**9


@dataclass(frozen=True, slots=True)
class ProjectsAsked:
    """Which part of the projects is asked for; ``limit`` is how many a page has."""

    search: str
    order: Order
    offset: int
    limit: int

    def link(self, offset: int | None = None, order: str | None = None) -> str:
        """Give the query of another part; a change of the order begins anew."""
        start = (0 if order else self.offset) if offset is None else offset
        fields = {"search": self.search, "order": order or self.order.value, "offset": start or ""}
        return "?" + urlencode({name: value for name, value in fields.items() if value})


def window_asked(request: Request) -> Window:
    """Read ``span``; raises `InvalidRequest`."""
    name = request.parameter("span") or DAY.name
    if name not in WINDOWS:
        raise InvalidRequest(f"span: one of {', '.join(WINDOWS)} is allowed")
    return WINDOWS[name]


def projects_asked(request: Request) -> ProjectsAsked:
    """Read ``search``, ``order`` and ``offset``; raises `InvalidRequest`."""
    search = (request.parameter("search") or "").replace("+", " ").strip()  # as forms write a space
    order = request.parameter("order") or Order.USED.value
    offset = request.parameter("offset") or "0"
    if order not in Order.__members__.values():
        raise InvalidRequest(f"order: one of {', '.join(Order)} is allowed")
    if not (offset.isascii() and offset.isdecimal() and int(offset[:20]) <= _FARTHEST):
        raise InvalidRequest(f"offset: a whole number from 0 to {_FARTHEST} is allowed")
    return ProjectsAsked(search, Order(order), int(offset), _PAGE)
