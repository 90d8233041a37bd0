"""Whether upstreams may be asked: one switch for the whole program, and the gate that obeys it.

Rules of this module:
1. Every request to an upstream passes the gate; while the program is offline none does, and whoever
   wanted it learns so at once. An exchange that is under way at the switch is finished.
2. The switch is turned on the event loop; those who have subscribed are called before anyone else runs.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cheesebox.errors import Offline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from cheesebox.ports import Upstream, UpstreamAnswer

log = logging.getLogger(__name__)

_OFFLINE = "offline: no upstream is asked, what is in the cache is served"
_ONLINE = "online: upstreams are asked again"


class Connectivity:
    """The switch. Not thread-safe: used on the event loop only, once there is one."""

    def __init__(self, *, is_offline: bool = False) -> None:
        self._is_offline = is_offline
        self._subscribers: list[Callable[[], None]] = []

    @property
    def is_offline(self) -> bool:
        """Tell whether no upstream may be asked."""
        return self._is_offline

    def go_offline(self) -> None:
        """Ask no upstream from now on; idempotent."""
        self._switch(is_offline=True)

    def go_online(self) -> None:
        """Ask upstreams again; idempotent."""
        self._switch(is_offline=False)

    def subscribe(self, switched: Callable[[], None]) -> None:
        """Call this after each switch."""
        self._subscribers.append(switched)

    def require(self, wanted: str) -> None:
        """Raise `Offline` for what only an upstream could give."""
        if self._is_offline:
            raise not_cached(wanted)

    def tell(self) -> None:
        """Say in the log how it is."""
        log.warning(_OFFLINE if self._is_offline else _ONLINE)

    def _switch(self, *, is_offline: bool) -> None:
        if self._is_offline == is_offline:
            return
        self._is_offline = is_offline
        self.tell()
        for switched in self._subscribers:
            switched()


class GatedUpstream:
    """An upstream that is asked only while that is allowed."""

    def __init__(self, upstream: Upstream, connectivity: Connectivity) -> None:
        self._upstream = upstream
        self._connectivity = connectivity

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> AsyncIterator[UpstreamAnswer]:
        """Send one request; raises `Offline`, or what the upstream raises."""
        self._connectivity.require(url)
        async with self._upstream.request(method, url, headers) as answer:
            yield answer


def not_cached(wanted: str) -> Offline:
    """Say what would have to be asked for."""
    return Offline(f"cheesebox is offline, and {wanted} is not in the cache")
