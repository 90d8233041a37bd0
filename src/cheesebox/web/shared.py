"""What this node has in common with others, as it is at one moment; and the same for the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cheesebox.web import models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cheesebox.commons.commons import Counts
    from cheesebox.commons.keeping import KeepingStatistics


@dataclass(frozen=True, slots=True)
class EngineCalls:
    """What an engine was asked since the start, as its adapter counts; bytes are those of bodies."""

    operations: Mapping[str, int] = field(default_factory=dict)
    errors: int = 0
    bytes_up: int = 0
    bytes_down: int = 0


@dataclass(frozen=True, slots=True)
class EngineState:
    """One engine: ``trouble`` is empty when all is well."""

    name: str
    trouble: str
    failures: int
    calls: EngineCalls


@dataclass(frozen=True, slots=True)
class SharedState:
    """Both engines, and what this node did since its start; ``max_size`` in bytes, 0: no limit."""

    url: str | None
    engines: Sequence[EngineState]
    counts: Counts
    keeping: KeepingStatistics
    max_size: int


def nodes_model(state: SharedState) -> models.Nodes:
    """Tell it as the API does."""
    counts, keeping = state.counts, state.keeping
    return models.Nodes(
        state.url,
        [models.Engine(each.name, each.trouble, each.failures) for each in state.engines],
        models.Together(
            counts.brought, counts.led, counts.followed, counts.alone, counts.published, counts.refused
        ),
        models.Keeping(
            keeping.is_leading,
            keeping.evicted,
            keeping.evicted_bytes,
            keeping.swept,
            keeping.adopted,
            keeping.orphans,
        ),
        state.max_size,
        None if keeping.totals is None else keeping.totals.size,
        None if keeping.totals is None else keeping.totals.entries,
    )
