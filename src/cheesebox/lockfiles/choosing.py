"""Which files of a project page an installer would take. Pure; nothing is resolved here.

Of an unpinned project the newest version that fits is taken, as an installer would with nothing else
to consider: what it depends on is not looked at. A lock file is complete by itself.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.tags import Tag
    from packaging.version import Version

    from cheesebox.lockfiles.targets import Target, Variant
    from cheesebox.lockfiles.wanted import Wanted
    from cheesebox.simple.model import DistributionFile, ProjectPage

_WHEEL = ".whl"
_SDISTS = (".tar.gz", ".zip", ".tar.bz2")


def choose(page: ProjectPage, wanted: Wanted, target: Target) -> tuple[DistributionFile, ...]:
    """Give what an installer on the target may take of the newest version that fits; empty: nothing.

    Wheels where there are any that fit, else the source distribution.
    """
    for _, files in _versions(page, wanted):
        usable = [file for file in files if _runs_on(file, target)]
        if chosen := _wheels(usable, target) or _sdists(usable):
            return chosen
    return ()


def choose_all(page: ProjectPage, wanted: Wanted) -> tuple[DistributionFile, ...]:
    """Give all files of the newest version that is wanted, for whatever platform."""
    return next((tuple(files) for _, files in _versions(page, wanted)), ())


def _versions(page: ProjectPage, wanted: Wanted) -> Iterator[tuple[Version, list[DistributionFile]]]:
    """Give the versions that are wanted, newest first, each with the files that may be taken of it."""
    by_version: defaultdict[Version, list[DistributionFile]] = defaultdict(list)
    for file in page.files:
        is_offered = wanted.is_pinned or file.yanked is False
        if is_offered and wanted.admits(file) and (version := file.version) is not None:
            by_version[version].append(file)
    for version in sorted(wanted.specifier.filter(by_version), reverse=True):
        yield version, by_version[version]


def _runs_on(file: DistributionFile, target: Target) -> bool:
    if file.requires_python is None:
        return True
    try:
        allowed = SpecifierSet(file.requires_python)
    except InvalidSpecifier:  # installers read it as no restriction
        return True
    return allowed.contains(target.python_full_version, prereleases=True)


def _wheels(files: Iterable[DistributionFile], target: Target) -> tuple[DistributionFile, ...]:
    """Give the best wheel of each variant."""
    tagged = [(file, tags) for file in files if (tags := _tags(file))]
    best = (_best(tagged, variant) for variant in target.variants)
    return tuple({file.filename: file for file in best if file is not None}.values())


def _best(
    tagged: Sequence[tuple[DistributionFile, frozenset[Tag]]], variant: Variant
) -> DistributionFile | None:
    fitting = [
        (min(variant[tag] for tag in known), file)
        for file, tags in tagged
        if (known := tags & variant.keys())
    ]
    return min(fitting, key=lambda each: each[0])[1] if fitting else None


def _tags(file: DistributionFile) -> frozenset[Tag]:
    if not file.filename.endswith(_WHEEL):
        return frozenset()
    try:
        return parse_wheel_filename(file.filename)[3]
    except InvalidWheelFilename:
        return frozenset()


def _sdists(files: Iterable[DistributionFile]) -> tuple[DistributionFile, ...]:
    return tuple(file for file in files if file.filename.endswith(_SDISTS))
