"""What the cached page of one index says of a project: how much there is, what is withheld and until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.cache.views import utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cheesebox.cache.copies import StoredCopy
    from cheesebox.cache.pages import Pages
    from cheesebox.simple.model import ProjectPage
    from cheesebox.simple.names import ProjectName
    from cheesebox.simple.policies import View, Withheld


@dataclass(frozen=True, slots=True)
class Listed:
    """What a cached page says; times are seconds since the epoch, ``withheld`` is by file name."""

    index: str
    status: str
    status_reason: str | None
    fetched_at: float
    validated_at: float
    files: int
    versions: int
    has_rules: bool
    withheld: Mapping[str, Withheld]


async def look(index: str, pages: Pages, project: ProjectName, view: View, now: float) -> Listed | None:
    """Look at a cached page through a view; None where none is cached. Raises `StoreError`."""

    def read(copy: StoredCopy, page: ProjectPage) -> Listed:
        withheld = view.withheld(page, utc(now))
        entry = copy.entry
        return Listed(
            index,
            page.status,
            page.status_reason,
            entry.fetched_at,
            entry.validated_at,
            len(page.files),
            len(page.versions),
            bool(view.rules),
            withheld,
        )

    return await pages.look(project, read)
