"""Whether this cache is on its own or one of several nodes: the seams at which that makes a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cheesebox.cache.supply import direct

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.cache.exchange import Exchange
    from cheesebox.cache.origins import Origin
    from cheesebox.cache.shelf import Shelf
    from cheesebox.cache.supply import Supplies
    from cheesebox.ports import Upstream


class Sharing(Protocol):
    """How one index of this node asks, together with other nodes or without."""

    def exchange(self, inner: Exchange, shelf: Shelf) -> Exchange:
        """Give what asks for documents that are kept on the shelf; ``inner`` asks the upstream."""
        ...

    def supplies(self, upstream: Upstream, negative_for: float) -> Supplies:
        """Give what supplies downloads; a 404 is remembered for ``negative_for`` seconds."""
        ...

    def slices(self, upstream: Upstream) -> Callable[[Origin], Upstream]:
        """Give who is asked for heads and slices of files that are not kept."""
        ...


class Alone:
    """A cache on its own."""

    def exchange(self, inner: Exchange, shelf: Shelf) -> Exchange:  # noqa: ARG002 - as the protocol
        """Ask the upstream."""
        return inner

    def supplies(self, upstream: Upstream, negative_for: float) -> Supplies:  # noqa: ARG002 - as the protocol
        """Have the upstream supply all."""
        return direct(upstream)

    def slices(self, upstream: Upstream) -> Callable[[Origin], Upstream]:
        """Ask the upstream."""
        return lambda _origin: upstream
