"""Options that say what is wanted of an index, and for which machines: lock files, requirements, targets."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

import click
from packaging.markers import default_environment
from packaging.tags import platform_tags

from cheesebox.errors import SettingsError, UnreadableLock
from cheesebox.lockfiles.reading import read_lock, read_requirement_list
from cheesebox.lockfiles.targets import make_target, target_of
from cheesebox.lockfiles.wanted import Elsewhere, Wanted
from cheesebox.warming.filling import Wish

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cheesebox.lockfiles.targets import Target
    from cheesebox.lockfiles.wanted import Item
    from cheesebox.settings import IndexSettings, Settings

_HERE = "this machine"
_OF_THE_MACHINE = ("os_name", "sys_platform", "platform_system", "platform_machine")
_LOCKS = (".lock", ".toml", ".txt", ".in")
_LARGEST = 256 * 10**6


def lock_options() -> list[click.Parameter]:
    """Make the options that `wishes_of` understands."""
    return [
        click.Option(
            ["--requirement", "-r", "locks"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            multiple=True,
            help="requirements.txt, uv.lock, poetry.lock or pylock.toml; may be repeated.",
        ),
        click.Option(
            ["--python", "pythons"],
            metavar="VERSION",
            multiple=True,
            help="CPython to choose files for, such as 3.12; may be repeated. [the one that runs this]",
        ),
        click.Option(
            ["--platform", "platforms"],
            metavar="NAME",
            multiple=True,
            help="Platform to choose files for: linux_x86_64, linux_aarch64, musllinux_x86_64, macos_arm64, "
            "win_amd64, …; may be repeated. [this machine's]",
        ),
        click.Option(
            ["--all", "everything"], is_flag=True, help="Take the files of a version for all platforms."
        ),
        index_option(),
    ]


def index_option() -> click.Parameter:
    """Make the option that chooses an index."""
    return click.Option(
        ["--index", "index_name"], metavar="NAME", help="Index to use. [the first that has a mount]"
    )


def index_of(settings: Settings, name: str | None) -> IndexSettings:
    """Give the index that is meant; raises `SettingsError`."""
    if name is None:
        return settings.front
    for index in settings.indexes:
        if index.name == name:
            return index
    names = ", ".join(index.name for index in settings.indexes)
    raise SettingsError(f"index {name!r}: there is none of this name; there are {names}")


def targets_of(pythons: Sequence[str], platforms: Sequence[str]) -> list[Target]:
    """Give every interpreter on every platform; raises `SettingsError`."""
    versions = pythons or (platform.python_version(),)
    names = platforms or (_HERE,)
    return [_target(version, name) for version in versions for name in names]


def _target(python: str, name: str) -> Target:
    if name != _HERE:
        return make_target(python, name)
    values = {key: str(value) for key, value in default_environment().items() if key in _OF_THE_MACHINE}
    return target_of(python.removesuffix("+"), name, [list(platform_tags())], values)


def wishes_of(
    locks: Iterable[Path], requirements: Iterable[str], targets: Iterable[Target]
) -> tuple[list[Wish], list[str]]:
    """Read what is wanted for each target; gives beside it what no index has.

    A requirement that is the name of a lock file is read as one. Raises `UnreadableLock`.
    """
    names = list(requirements)
    files = [*locks, *(Path(name) for name in names if name.endswith(_LOCKS))]
    projects = [name for name in names if not name.endswith(_LOCKS)]
    wishes: dict[tuple[Wanted, str], Wish] = {}
    elsewhere: dict[str, None] = {}
    for target in targets:
        for item in _items(files, projects, target):
            if isinstance(item, Elsewhere):
                elsewhere[item.what] = None
            else:
                wishes[item, str(target)] = Wish(item, target)
    return list(wishes.values()), list(elsewhere)


def _items(files: Iterable[Path], projects: Iterable[str], target: Target) -> list[Item]:
    found = [item for path in files for item in read_lock(str(path), target.environment, load_text)]
    return [*found, *read_requirement_list(projects, target.environment)]


def load_text(name: str) -> str:
    """Read a lock file; raises `UnreadableLock`."""
    path = Path(name)
    try:
        if path.stat().st_size > _LARGEST:
            raise UnreadableLock(f"{path}: larger than a lock file can be")
        return path.read_text("utf-8")
    except OSError as error:
        raise UnreadableLock(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableLock(f"{path}: not UTF-8") from error
