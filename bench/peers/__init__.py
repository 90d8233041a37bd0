"""The servers that the benchmark knows, by id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.peers import cheesebox, devpi, nginx, proxpi

if TYPE_CHECKING:
    from bench.peers.base import Peer

PEERS: dict[str, Peer] = {
    peer.id: peer for peer in (cheesebox.CHEESEBOX, *nginx.ALL, proxpi.PROXPI, devpi.DEVPI)
}
