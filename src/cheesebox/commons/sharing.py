"""How the indexes of a node that is one of several ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.commons.commons import PATIENCE
from cheesebox.commons.exchange import SharedExchange
from cheesebox.commons.supply import SharedSlices, SharedSupplies

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.cache.exchange import Exchange
    from cheesebox.cache.origins import Origin
    from cheesebox.cache.shelf import Shelf
    from cheesebox.cache.supply import Supplies
    from cheesebox.commons.commons import Commons
    from cheesebox.commons.peers import Peers
    from cheesebox.ports import Upstream


class Together:
    """Asks with the other nodes."""

    def __init__(self, commons: Commons, peers: Peers, *, patience: float = PATIENCE) -> None:
        """``patience``: seconds to wait for another node."""
        self._commons = commons
        self._peers = peers
        self._patience = patience

    def exchange(self, inner: Exchange, shelf: Shelf) -> Exchange:
        """Ask for documents once for all nodes."""
        return SharedExchange(inner, self._commons, shelf, patience=self._patience)

    def supplies(self, upstream: Upstream, negative_for: float) -> Supplies:
        """Download once for all nodes."""
        return SharedSupplies(upstream, self._commons, self._peers, negative_for, self._patience)

    def slices(self, upstream: Upstream) -> Callable[[Origin], Upstream]:
        """Read slices of what is shared."""
        return lambda origin: SharedSlices(origin, upstream, self._commons)
