"""All rows, in the order in which they are measured: memory comes last, it looks back on the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.rows import clients, cold, crowd, files, memory, metadata, pages, tail, workers

if TYPE_CHECKING:
    from bench.results import Group

GROUPS: tuple[Group, ...] = (
    *pages.GROUPS,
    *metadata.GROUPS,
    *files.GROUPS,
    *cold.GROUPS,
    *crowd.GROUPS,
    *tail.GROUPS,
    *clients.GROUPS,
    *workers.GROUPS,
    *memory.GROUPS,
)
