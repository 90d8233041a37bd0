"""How one node reads from another what that one is fetching.

Each node answers below `PATH` to those who know the secret that the register keeps: with a file that it
has, or with one that is growing there. It fetches nothing for others, so no two nodes wait for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from cheesebox.errors import UpstreamUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

    from cheesebox.commons.commons import Commons
    from cheesebox.ports import Key, Upstream, UpstreamAnswer

PATH = "/-/node/"


class Peers:
    """The other nodes. ``client`` sends requests to their URLs; ``own_url`` is this node's."""

    def __init__(self, client: Upstream, commons: Commons, own_url: str = "") -> None:
        self._client = client
        self._own_url = own_url
        self._commons = commons
        self._secret: str | None = None

    async def secret(self) -> str:
        """Give what nodes know each other by; raises `EngineError`."""
        if self._secret is None:
            with self._commons.register_health.watching():
                self._secret = await self._commons.register.secret()
        return self._secret

    async def request(
        self, holder: str, key: Key, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Ask a node for the file that it is fetching; raises `EngineError` or `UpstreamUnreachable`."""
        if not holder:
            raise UpstreamUnreachable(f"{key}: the node that fetches it has no node_url")
        if holder == self._own_url:  # it was this node before it began anew
            raise UpstreamUnreachable(f"{key}: nobody fetches it, its lease has yet to end")
        credentials = {"Authorization": f"Bearer {await self.secret()}"}
        return self._client.request("GET", f"{holder}{PATH}{quote(key)}", {**headers, **credentials})
