"""Reading of pip's requirements files: pins, hashes, markers, specifiers, ``-r`` and ``-c``.

Extras are left out: what they bring in stands in the file itself when it was compiled. Options that
choose an index are left out too: it is this cache that is asked.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from cheesebox.errors import UnreadableLock
from cheesebox.lockfiles.wanted import Elsewhere, Item, LockedFile, Wanted
from cheesebox.simple.names import normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Include = Callable[[str, str], tuple[str, str]]

_CONTINUED = re.compile(r"\\\r?\n")
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)
_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s*=\s*|\s*)(?P<name>.+)")
_CONSTRAIN = re.compile(r"(?:-c|--constraint)(?:\s*=\s*|\s*)(?P<name>.+)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s*=\s*|\s+)(?P<what>.+)")
_HASH = re.compile(r"--hash(?:\s*=\s*|\s+)(?P<digest>[A-Za-z0-9]+:[0-9A-Fa-f]+)")
_OPTION = re.compile(r"\s--[a-z]")
_PATH = re.compile(r"(?:[a-z+]+://|\.|/|file:)|.*\.(?:whl|tar\.gz|zip)$", re.IGNORECASE)


def read_requirements(
    text: str, environment: Mapping[str, str], include: Include, name: str = "requirements.txt"
) -> tuple[Item, ...]:
    """Read a requirements file as it holds in an environment (markers of PEP 508).

    ``include(reference, name)`` gives name and text of a file that the one called ``name`` refers to.
    Raises `UnreadableLock`.
    """
    constraints: list[Wanted] = []
    items = list(_read(text, environment, include, constraints, (name,)))
    return tuple(_constrained(item, constraints) for item in items)


def read_requirement(line: str, environment: Mapping[str, str]) -> Item | None:
    """Read one requirement; None where its marker does not hold. Raises `UnreadableLock`."""
    options = _OPTION.search(line)
    text = line[: options.start()] if options else line
    if _PATH.match(text) and " @ " not in text:
        return Elsewhere(text)
    try:
        requirement = Requirement(text)
        project = normalize(requirement.name)
    except InvalidRequirement as error:
        raise UnreadableLock(f"{text!r} is no requirement: {error}") from error
    if requirement.marker is not None and not requirement.marker.evaluate({**environment, "extra": ""}):
        return None
    if requirement.url:
        return Elsewhere(f"{requirement.name} @ {requirement.url}")
    digests = (found["digest"].lower() for found in _HASH.finditer(line))
    return Wanted(project, requirement.specifier, tuple(LockedFile(digest=digest) for digest in digests))


def _read(
    text: str,
    environment: Mapping[str, str],
    include: Include,
    constraints: list[Wanted],
    names: tuple[str, ...],
) -> Iterator[Item]:
    for line in _lines(text):
        if found := _INCLUDE.fullmatch(line):
            name, more = _included(found["name"], include, names)
            yield from _read(more, environment, include, constraints, (*names, name))
        elif found := _CONSTRAIN.fullmatch(line):
            name, more = _included(found["name"], include, names)
            items = _read(more, environment, include, constraints, (*names, name))
            constraints += [item for item in items if isinstance(item, Wanted)]
        elif found := _EDITABLE.fullmatch(line):
            yield Elsewhere(found["what"])
        elif not line.startswith("-") and (item := read_requirement(line, environment)) is not None:
            yield item


def _included(reference: str, include: Include, names: tuple[str, ...]) -> tuple[str, str]:
    name, text = include(reference, names[-1])
    if name in names:
        raise UnreadableLock(f"{name} includes itself")
    return name, text


def _lines(text: str) -> Iterator[str]:
    whole = _COMMENT.sub("", _CONTINUED.sub(" ", text.removeprefix("\ufeff")))
    return (line for raw in whole.splitlines() if (line := raw.strip()))


def _constrained(item: Item, constraints: list[Wanted]) -> Item:
    if not isinstance(item, Wanted):
        return item
    for constraint in constraints:
        if constraint.project == item.project:
            files = item.files or constraint.files
            item = replace(item, specifier=item.specifier & constraint.specifier, files=files)
    return item
