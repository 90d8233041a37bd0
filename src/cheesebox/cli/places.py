"""Where pip and uv look for the configuration of a machine and of a user; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WINDOWS, _MACOS = "win32", "darwin"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What decides about the places: the platform as `sys.platform` names it, the environment, the home."""

    platform: str
    environ: Mapping[str, str]
    home: str
    exists: Callable[[PurePath], bool] = field(default=lambda _: False)

    def path(self, *parts: str) -> PurePath:
        """Join a path as the platform writes them."""
        return (PureWindowsPath if self.platform == _WINDOWS else PurePosixPath)(*parts)

    def variable(self, name: str) -> str:
        """Give an environment variable, empty where it is not set."""
        return self.environ.get(name, "").strip()


def pip_user_file(around: Surroundings) -> PurePath:
    """Give the file that ``pip config --user`` edits."""
    if around.platform == _WINDOWS:
        return around.path(_roaming(around), "pip", "pip.ini")
    if around.platform == _MACOS:
        library = around.path(around.home, "Library", "Application Support", "pip")
        folder = library if around.exists(library) else around.path(around.home, ".config", "pip")
        return folder / "pip.conf"
    return around.path(_xdg_config(around), "pip", "pip.conf")


def pip_files(around: Surroundings) -> tuple[PurePath, ...]:
    """Give all files that pip reads, whether they exist or not; the later wins."""
    named = around.variable("PIP_CONFIG_FILE")
    if named in ("/dev/null", "nul"):
        return ()
    legacy = ("pip", "pip.ini") if around.platform == _WINDOWS else (".pip", "pip.conf")
    files = _pip_global(around)
    if not (
        named and around.exists(around.path(named))
    ):  # a file that is named takes the place of the user's
        files += [around.path(around.home, *legacy), pip_user_file(around)]
    if environment := around.variable("VIRTUAL_ENV"):
        files.append(around.path(environment, legacy[1]))
    return (*files, around.path(named)) if named else tuple(files)


def _pip_global(around: Surroundings) -> list[PurePath]:
    if around.platform == _WINDOWS:
        return [around.path(around.variable("PROGRAMDATA") or "C:\\ProgramData", "pip", "pip.ini")]
    if around.platform == _MACOS:
        return [around.path("/Library/Application Support/pip/pip.conf")]
    folders = (around.variable("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    return [*(around.path(folder, "pip", "pip.conf") for folder in folders), around.path("/etc/pip.conf")]


def uv_user_file(around: Surroundings) -> PurePath:
    """Give the user's ``uv.toml``."""
    if around.platform == _WINDOWS:
        return around.path(_roaming(around), "uv", "uv.toml")
    return around.path(_xdg_config(around), "uv", "uv.toml")


def uv_files(around: Surroundings) -> tuple[PurePath, ...]:
    """Give the files of machine and user that uv reads; the later wins. Projects may have their own."""
    if around.variable("UV_NO_CONFIG") not in ("", "0", "false"):
        return ()
    if named := around.variable("UV_CONFIG_FILE"):
        return (around.path(named),)
    machine = around.path("/etc/uv/uv.toml")
    if around.platform == _WINDOWS:
        machine = around.path(around.variable("PROGRAMDATA") or "C:\\ProgramData", "uv", "uv.toml")
    return (machine, uv_user_file(around))


def _xdg_config(around: Surroundings) -> str:
    return around.variable("XDG_CONFIG_HOME") or str(around.path(around.home, ".config"))


def _roaming(around: Surroundings) -> str:
    return around.variable("APPDATA") or str(around.path(around.home, "AppData", "Roaming"))
