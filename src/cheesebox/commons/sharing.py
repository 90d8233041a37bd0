"""How the indexes of a node that is one of several ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.commons.exchange import SharedExchange
from cheesebox.commons.supply import SharedSlices, SharedSupplies

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.cache.exchange import Exchange
    from cheesebox.cache.origins import Origin
    from cheesebox.cache.supply import Supplies
    from cheesebox.commons.commons import Commons
    from cheesebox.commons.peers import Peers
    from cheesebox.ports import Clock, Upstream


class Together:
    """Asks with the other nodes."""

    def __init__(self, commons: Commons, peers: Peers, clock: Clock) -> None:
        self._commons = commons
        self._peers = peers
        self._clock = clock

    def exchange(self, inner: Exchange) -> Exchange:
        """Ask for documents once for all nodes."""
        return SharedExchange(inner, self._commons, self._clock)

    def supplies(self, upstream: Upstream, negative_for: float) -> Supplies:
        """Download once for all nodes."""
        return SharedSupplies(upstream, self._commons, self._peers, negative_for)

    def slices(self, upstream: Upstream) -> Callable[[Origin], Upstream]:
        """Read slices of what is shared."""
        return lambda origin: SharedSlices(origin, upstream, self._commons)
