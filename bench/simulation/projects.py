"""What there is to be asked for: projects with a page each, and files with their metadata."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bench.simulation.popularity import Popularity
    from bench.simulation.sizes import Sizes

SLOTS = 12
"""Files of a project that are asked for: some versions, for some platforms."""
GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it fall evenly between 0 and 1, however many there are."""
WITHIN = 1.2
"""Zipf's exponent among them, the newest first."""
SLOT_SHARES = tuple((slot + 1) ** -WITHIN for slot in range(SLOTS))


SELDOM = 15_000
COARSER = 6


class What(enum.IntEnum):
    """Kinds of what is asked for."""

    PAGE = 0
    METADATA = 1
    FILE = 2


@dataclass(frozen=True, slots=True)
class Mix:
    """How many of each an installation asks for.

    These are the numbers of uv's resolution and installation of eight common requirements, with an empty
    client cache (`bench.recording`): 164 projects, for two of which it looked at one more version.
    """

    pages: float = 164
    metadata: float = 166
    files: float = 164

    @property
    def shares(self) -> tuple[float, float, float]:
        """Give the shares of all requests, in the order of `What`."""
        total = self.pages + self.metadata + self.files
        return self.pages / total, self.metadata / total, self.files / total


class Item(NamedTuple):
    """One body: its name, its bytes as stored and as sent; ``version`` tells bodies of a name apart."""

    key: str
    what: What
    stored: int
    sent: int
    version: int = 0


@dataclass(slots=True)
class Project:
    """A project, standing for ``weight`` projects of its popularity.

    ``share``: of all requests, each of them. ``released``: seconds since midnight, rising; a release changes
    the page, and the file that everybody takes is a new one. Sizes are of one project; ``place`` (0 to 1)
    tells where among the sizes of files its own begin.
    """

    name: str
    share: float
    weight: int
    released: tuple[float, ...]
    page: tuple[int, int]
    place: float
    sizes: Sizes = field(repr=False)
    files: dict[int, int] = field(default_factory=dict)

    def version(self, at: float) -> int:
        """Count the releases until then."""
        return sum(release <= at for release in self.released)

    def item(self, what: What, slot: int, at: float) -> Item:
        """Tell what is asked for: the page, or the file at a place among the newest."""
        version = self.version(at)
        if what is What.PAGE:
            return Item(f"{self.name}/", what, *self.page, version)
        number = version - slot
        size = self._size(what, number)
        return Item(f"{self.name}/{number}/{what:d}", what, size, size)

    def _size(self, what: What, number: int) -> int:
        name = 2 * number + (what is What.FILE)
        if name not in self.files:
            share = (self.place + number * GOLDEN) % 1.0
            self.files[name] = (self.sizes.file if what is What.FILE else self.sizes.metadata).at(share)
        return self.files[name]


def make_project(
    name: str,
    share: float,
    sizes: Sizes,
    span: tuple[float, float],
    weight: int = 1,
    place: float | None = None,
) -> Project:
    """Make a project up; the same name gives the same one. Releases are a Poisson process over ``span``."""
    source = random.Random(name)
    rate = sizes.releases / (365 * 86400.0)
    released, at = [], span[0]
    while rate and (at := at + source.expovariate(rate)) < span[1]:
        released.append(at)
    place = source.random() if place is None else place
    return Project(name, share, weight, tuple(released), sizes.page(source), place, sizes)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Ranks ``first`` to ``last``, of which ``count`` projects stand for all, by ``weight`` each."""

    first: int
    last: int
    count: int
    weight: int
    share: float


def strata(popularity: Popularity, most: int, ratio: float = 1.25) -> list[Stratum]:
    """Cut the ranks into stretches that widen by ``ratio``, one project standing for at most ``most``.

    Past `SELDOM`, where all projects together get a hundredth of the requests, it may be `COARSER` times
    as many.

    Projects of a stretch are about as popular as each other; those that stand for it get its mean, so
    that the requests of the stretch are what they are.
    """
    found: list[Stratum] = []
    first, projects = 1, len(popularity.shares)
    while first <= projects:
        last = min(projects, max(first, int(first * ratio)))
        whole = last - first + 1
        count = max(1, -(-whole // (most if first < SELDOM else most * COARSER)))
        weight = max(1, round(whole / count))
        share = sum(popularity.shares[first - 1 : last]) / (count * weight)
        found.append(Stratum(first, last, count, weight, share))
        first = last + 1
    return found
