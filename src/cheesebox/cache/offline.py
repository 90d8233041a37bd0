"""What an index shows while no upstream may be asked: what is in the cache, and nothing else.

Rules of this module:
1. A file is shown if it can be served; its metadata is advertised if that can be served too: from
   the cache, or by reading it out of the cached wheel.
2. What is made of a page offline has the catalogue's state in its name: it is made anew when
   something was admitted or removed, and it never stands for what is shown online.
3. It is good for one answer only: neither the hot table nor a client may keep it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cheesebox.simple.model import LEGACY_CORE_METADATA_KEYS
from cheesebox.simple.policies import ALLOWED, Withheld

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cheesebox.cache.copies import Answered
    from cheesebox.cache.index import Index
    from cheesebox.simple.model import DistributionFile, ProjectPage
    from cheesebox.simple.policies import Judgement, View

_METADATA = ".metadata"
_METADATA_KEYS = ("core-metadata", *LEGACY_CORE_METADATA_KEYS)
_NOT_CACHED = Withheld("cheesebox is offline, and it is not in the cache")


@dataclass(frozen=True, slots=True)
class InCache:
    """Withholds files that are not in the cache: a rule for as long as the catalogue is as it was.

    ``state`` names that state; ``has`` tells by the URL of a file, and by what is appended to it.
    """

    state: tuple[int, int]
    has: Callable[[str, str], bool] = field(compare=False)
    reads_wheels: bool = False

    def judge(self, file: DistributionFile, page: ProjectPage, now: datetime) -> Judgement:  # noqa: ARG002 - a rule's signature
        """Decide by what is stored."""
        return ALLOWED if self.has(file.url, "") else _NOT_CACHED

    def advertise(self, file: DistributionFile) -> DistributionFile:
        """Give the file as it is listed: without metadata that could not be served."""
        if not file.core_metadata or self.reads_wheels or self.has(file.url, _METADATA):
            return file
        return replace(file, raw={key: file.raw[key] for key in file.raw if key not in _METADATA_KEYS})


class Unleased:
    """The lease of an answer that holds for nobody else."""

    def remaining(self) -> None:
        """Whoever asks the same again has to ask for it."""

    def terms(self) -> None:
        """Tell nobody: it holds for this once."""


def limited(view: View, index: Index, *, reads_wheels: bool) -> View:
    """Give a view as it is while offline; ``reads_wheels`` tells whether metadata is read out of wheels."""
    return replace(view, rules=(*view.rules, InCache(index.stored_state, index.stores, reads_wheels)))


def once(answered: Answered) -> Answered:
    """Give an answer that is good for this once."""
    return replace(answered, lease=Unleased(), max_age=0)


def show(view: View, page: ProjectPage, now: datetime) -> ProjectPage:
    """Give what a view, limited or not, shows of a page."""
    shown = view.show(page, now)
    rule = next((rule for rule in view.rules if isinstance(rule, InCache)), None)
    return shown if rule is None else shown.with_files(map(rule.advertise, shown.files))
