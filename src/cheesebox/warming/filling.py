"""Fills a cache with what is wanted: pages first, then the files chosen from them, with their metadata.

What is cached already costs one request and no bytes, so that a broken run is simply started again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cheesebox.errors import CheeseboxError
from cheesebox.lockfiles.choosing import choose, choose_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cheesebox.lockfiles.targets import Target
    from cheesebox.lockfiles.wanted import Wanted
    from cheesebox.simple.model import DistributionFile, ProjectPage
    from cheesebox.simple.names import ProjectName
    from cheesebox.warming.client import CacheClient

_METADATA = ".metadata"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted for one target."""

    wanted: Wanted
    target: Target


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that is not in the cache now, and why."""

    what: str
    reason: str


@dataclass(slots=True)
class Report:
    """What a run brought; sizes in bytes."""

    projects: int = 0
    fetched: int = 0
    cached: int = 0
    size: int = 0
    failures: list[Failure] = field(default_factory=list)


class Progress(Protocol):
    """Is told how a run goes on."""

    def more(self, count: int) -> None:
        """Learn of further files."""

    def done(self, filename: str, size: int, *, was_cached: bool) -> None:
        """Learn that a file is in the cache."""

    def failed(self, failure: Failure) -> None:
        """Learn of a failure."""


class Filling:
    """One run; ``everything`` takes the files for all platforms."""

    def __init__(self, client: CacheClient, progress: Progress, jobs: int, *, everything: bool) -> None:
        self._client = client
        self._progress = progress
        self._turn = asyncio.Semaphore(jobs)
        self._everything = everything
        self.report = Report()

    async def fill(self, wishes: Iterable[Wish]) -> Report:
        """Have all that is wanted in the cache; what could not be had is in the report."""
        by_project: defaultdict[ProjectName, list[Wish]] = defaultdict(list)
        for wish in wishes:
            by_project[wish.wanted.project].append(wish)
        async with asyncio.TaskGroup() as tasks:
            for project, of_project in sorted(by_project.items()):
                tasks.create_task(self._project(project, of_project))
        self.report.failures.sort(key=lambda failure: failure.what)
        return self.report

    async def _project(self, project: ProjectName, wishes: list[Wish]) -> None:
        try:
            async with self._turn:
                page = await self._client.page(project)
        except CheeseboxError as error:
            self._fail(project, str(error))
            return
        self.report.projects += 1
        chosen, missing = choose_for(page, wishes, everything=self._everything)
        for what in missing:
            self._fail(what, "no file of this index fits")
        addresses = _addresses(chosen)
        self._progress.more(len(addresses))
        async with asyncio.TaskGroup() as tasks:
            for filename, url in addresses.items():
                tasks.create_task(self._file(filename, url))

    async def _file(self, filename: str, url: str) -> None:
        try:
            async with self._turn:
                fetched = await self._client.fetch(url)
        except CheeseboxError as error:
            self._fail(filename, str(error))
            return
        self.report.cached += fetched.was_cached
        self.report.fetched += not fetched.was_cached
        self.report.size += fetched.size
        self._progress.done(filename, fetched.size, was_cached=fetched.was_cached)

    def _fail(self, what: str, reason: str) -> None:
        failure = Failure(what, reason)
        self.report.failures.append(failure)
        self._progress.failed(failure)


def choose_for(
    page: ProjectPage, wishes: Iterable[Wish], *, everything: bool
) -> tuple[Mapping[str, DistributionFile], list[str]]:
    """Choose the files of one project by their names, and tell for what there is none. Pure."""
    chosen: dict[str, DistributionFile] = {}
    missing: dict[str, None] = {}
    for wish in wishes:
        files = choose_all(page, wish.wanted) if everything else choose(page, wish.wanted, wish.target)
        chosen |= {file.filename: file for file in files}
        if not files:
            missing[str(wish.wanted) if everything else f"{wish.wanted} for {wish.target}"] = None
    return chosen, list(missing)


def _addresses(chosen: Mapping[str, DistributionFile]) -> dict[str, str]:
    """Give the URLs of files and of their core metadata (PEP 658), by file name."""
    addresses = {}
    for filename, file in chosen.items():
        addresses[filename] = file.url
        if file.core_metadata:
            addresses[filename + _METADATA] = file.url + _METADATA
    return addresses
