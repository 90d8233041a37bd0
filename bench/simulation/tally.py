"""What was counted: of requests, of the upstream, of what the nodes share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

PART = 8 * 1024 * 1024
"""Bytes of one part of an upload; what is not longer is stored by one request."""


@dataclass(slots=True)
class Tally:
    """Counts of one stretch of time. What a project stands for is multiplied in."""

    pages: int = 0
    metadata: int = 0
    files: int = 0
    page_hits: int = 0
    metadata_hits: int = 0
    file_hits: int = 0
    sent: int = 0
    hit_bytes: int = 0
    from_storage: int = 0
    """Local misses answered from what the nodes share, upstream unasked: with a body out of the storage,"""
    from_record: int = 0
    """or with a record alone, as the body was held;"""
    from_peer: int = 0
    """or from the node that was fetching."""
    upstream_whole: int = 0
    upstream_confirmed: int = 0
    upstream_bytes: int = 0
    refetched: int = 0
    """Bodies fetched that had been held before: evicted since, or changed."""
    stored_locally: int = 0
    storage_gets: int = 0
    storage_get_bytes: int = 0
    storage_puts: int = 0
    storage_put_bytes: int = 0
    claims: int = 0
    publications: int = 0
    renewals: int = 0
    touches: int = 0

    @property
    def requests(self) -> int:
        """Count all requests."""
        return self.pages + self.metadata + self.files

    @property
    def hits(self) -> int:
        """Count those that a node answered out of its own."""
        return self.page_hits + self.metadata_hits + self.file_hits

    @property
    def shared_hits(self) -> int:
        """Count those that were answered without the upstream, though not out of the node's own."""
        return self.from_storage + self.from_record + self.from_peer

    @property
    def upstream(self) -> int:
        """Count requests to the upstream."""
        return self.upstream_whole + self.upstream_confirmed

    @property
    def hit_ratio(self) -> float:
        """Give the share of requests that a node answered out of its own."""
        return self.hits / self.requests if self.requests else 0.0

    @property
    def served_ratio(self) -> float:
        """Give the share of requests that did not reach the upstream."""
        return 1 - self.upstream / self.requests if self.requests else 0.0

    @property
    def register_calls(self) -> int:
        """Count commands of the register; touched keys count one each, though they are sent together."""
        return self.claims + self.publications + self.renewals + self.touches

    def scaled(self, factor: float) -> dict[str, Any]:
        """Give all counts for so many times the time, and the ratios."""
        counts = {field.name: round(getattr(self, field.name) * factor) for field in fields(self)}
        return {**counts, "hit_ratio": self.hit_ratio, "served_ratio": self.served_ratio}

    def as_dict(self) -> dict[str, Any]:
        """Give all counts as they are."""
        return asdict(self)


def upload_requests(size: int) -> int:
    """Count the requests that store a body: one, or the parts between a beginning and an end."""
    return 1 if size <= PART else 2 + -(-size // PART)
