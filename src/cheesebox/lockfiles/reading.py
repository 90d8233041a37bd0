"""The door: a lock file is known by its name, a requirement by being none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cheesebox.errors import UnreadableLock
from cheesebox.lockfiles.poetry_lock import read_poetry_lock
from cheesebox.lockfiles.pylock import read_pylock
from cheesebox.lockfiles.requirements_txt import read_requirement, read_requirements
from cheesebox.lockfiles.uv_lock import read_uv_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cheesebox.lockfiles.wanted import Item

    Load = Callable[[str], str]

_PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml")
_REQUIREMENTS = (".txt", ".in")


def read_lock(path: str, environment: Mapping[str, str], load: Load) -> tuple[Item, ...]:
    """Read a lock file of any kind; ``load`` gives the text of a path. Raises `UnreadableLock`."""
    text = load(path)
    try:
        return _read(path, text, environment, load)
    except UnreadableLock as error:
        raise UnreadableLock(f"{path}: {error}") from error


def _read(path: str, text: str, environment: Mapping[str, str], load: Load) -> tuple[Item, ...]:
    name = path.rpartition("/")[2]
    if name == "poetry.lock":
        return read_poetry_lock(text, environment)
    if name.endswith(".lock"):  # uv.lock, and script.py.lock
        return read_uv_lock(text, environment)
    if _PYLOCK.fullmatch(name):
        return read_pylock(text, environment)
    if not name.endswith(_REQUIREMENTS):
        raise UnreadableLock("known are uv.lock, poetry.lock, pylock.toml, pylock.*.toml, *.txt and *.in")

    def include(reference: str, including: str) -> tuple[str, str]:
        included = _beside(including, reference.strip("\"'"))
        return included, load(included)

    return read_requirements(text, environment, include, path)


def _beside(path: str, reference: str) -> str:
    """Resolve the name of a file that another one refers to."""
    folder, slash, _ = path.rpartition("/")
    return reference if reference.startswith("/") else f"{folder}{slash}{reference}"


def read_requirement_list(requirements: Iterable[str], environment: Mapping[str, str]) -> tuple[Item, ...]:
    """Read requirements such as ``six`` and ``requests==2.32.0``; raises `UnreadableLock`."""
    items = (read_requirement(each.strip(), environment) for each in requirements)
    return tuple(item for item in items if item is not None)
