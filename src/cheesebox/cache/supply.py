"""Where the bytes of one download come from, and who else has to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from cheesebox.cache.downloads import Download
    from cheesebox.cache.origins import Origin
    from cheesebox.errors import CheeseboxError
    from cheesebox.ports import Entry, Upstream, UpstreamAnswer

    Supplies = Callable[[Origin], "Supply"]
    """Gives the supply of one download."""


class Supply(Protocol):
    """Gives the bytes of one file, and is told how the download fares. Told of in this order."""

    def request(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Send one request as an `Upstream` does; what answers may be nearer than the URL."""
        ...

    def announced(self, download: Download) -> None:
        """Hear with each answer that its head is known, and that the body grows from now on."""
        ...

    def admitted(self, entry: Entry) -> None:
        """Hear that the file is verified and on the shelf."""
        ...

    def ended(self, error: CheeseboxError | None) -> None:
        """Hear that the download is over, and why it failed, if it did."""
        ...


class Direct:
    """The upstream itself, and nobody else."""

    def __init__(self, upstream: Upstream) -> None:
        self.request = upstream.request

    def announced(self, download: Download) -> None:
        """Nobody wants to know."""

    def admitted(self, entry: Entry) -> None:
        """Nobody wants to know."""

    def ended(self, error: CheeseboxError | None) -> None:
        """Nothing is held."""


def direct(upstream: Upstream) -> Supplies:
    """Have all downloads supplied by the upstream."""
    return lambda _origin: Direct(upstream)
