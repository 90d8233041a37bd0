"""Digests of stored bytes, written as ``<algorithm>:<hex>``.

Algorithms: ``blake2b-256`` (the path of a distribution file carries it) and those of the Simple API
that `hashlib` always has.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NewType, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

Digest = NewType("Digest", str)

BLAKE2 = "blake2b-256"
PAGE = "blake2b-160"
"""What pages are told from each other by: no index names it, so nothing is verified by it."""

_STRENGTH = ("sha256", "sha512", "sha384", "blake2b", "sha224", "md5")


class Hasher(Protocol):
    """What of a `hashlib` object is used here."""

    def update(self, data: bytes, /) -> None:
        """Hash more bytes."""

    def hexdigest(self) -> str:
        """Give the digest of all bytes so far."""
        ...


def of(algorithm: str, hexadecimal: str) -> Digest:
    """Write a digest down."""
    return Digest(f"{algorithm}:{hexadecimal.lower()}")


def algorithm_of(digest: Digest) -> str:
    """Give the algorithm's name."""
    return digest.partition(":")[0]


def hex_of(digest: Digest) -> str:
    """Give the hexadecimal part."""
    return digest.partition(":")[2]


def hasher(algorithm: str) -> Hasher:
    """Start a hash; raises ValueError for an algorithm that is not known."""
    if algorithm == BLAKE2:
        return hashlib.blake2b(digest_size=32)
    return hashlib.new(algorithm, usedforsecurity=False)


def strongest(hashes: Mapping[str, str]) -> Digest | None:
    """Choose the digest to verify by from a page's ``hashes`` (PEP 691)."""
    for algorithm in _STRENGTH:
        if value := hashes.get(algorithm):
            return of(algorithm, value)
    return None


def is_of_file(digest: Digest) -> bool:
    """Tell whether this is the digest of a distribution file or its metadata, not of a page."""
    return algorithm_of(digest) in (BLAKE2, *_STRENGTH)
