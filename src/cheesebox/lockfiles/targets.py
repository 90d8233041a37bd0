"""For which interpreter and platform files are chosen: wheel tags and marker values. Pure.

A name such as ``linux_x86_64`` stands for machines that differ in what they run (their libc, their
version of macOS). Each *variant* ranks the tags of one of them, 0 is best: whichever it is, the file
that its installer would take is among those chosen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.tags import compatible_tags, cpython_tags, mac_platforms

from cheesebox.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.tags import Tag

    Variant = Mapping[Tag, int]

_PYTHON = re.compile(r"3\.(?P<minor>\d{1,2})(?:\.\d{1,3})?")
_NEWEST_PATCH = 99
_GLIBC = range(17, 51)
_MUSL = range(1, 4)
_ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_OLDEST = {"x86_64": 5, "i686": 5}
_MACOS = {"arm64": (11, 12, 13, 14, 15, 26, 27), "x86_64": (11, 12, 13, 14, 15, 26)}
_WINDOWS = {"win_amd64": "AMD64", "win_arm64": "ARM64", "win32": "x86"}
_LINUX = re.compile(r"(?P<kind>linux|manylinux|musllinux)(?P<level>_\d+_\d+)?_(?P<arch>[a-z][a-z0-9_]*)")
_ALLOWED = (
    "linux_x86_64, linux_aarch64, manylinux_2_28_x86_64, musllinux_x86_64, musllinux_1_2_aarch64, "
    "macos_arm64, macos_x86_64, win_amd64, win_arm64 and win32 are examples of what is known"
)


@dataclass(frozen=True, slots=True)
class Target:
    """One interpreter on one platform. ``environment`` has the values for markers (PEP 508)."""

    python: str
    platform: str
    variants: tuple[Variant, ...]
    environment: Mapping[str, str]

    @property
    def python_full_version(self) -> str:
        """The version with its patch level; the newest where none was given."""
        return self.environment["python_full_version"]

    def __str__(self) -> str:
        return f"Python {self.python} on {self.platform}"


def make_target(python: str, platform: str) -> Target:
    """Make the target of CPython ``3.12`` (or ``3.12.4``) and ``linux_x86_64``; raises `SettingsError`."""
    ladders, values = _platform(platform)
    return target_of(python, platform, ladders, values)


def target_of(
    python: str, platform: str, ladders: Iterable[Sequence[str]], values: Mapping[str, str]
) -> Target:
    """Make a target of the platform tags that each of its variants takes, best first."""
    found = _PYTHON.fullmatch(python)
    if found is None:
        raise SettingsError(f"python {python!r}: a version of CPython such as 3.12 is allowed")
    version = (3, int(found["minor"]))
    variants = tuple(_ranked(_tags(version, ladder)) for ladder in ladders)
    return Target(python, platform, variants, {**_interpreter_values(python, version), **values})


def _ranked(tags: Iterator[Tag]) -> Variant:
    return {tag: rank for rank, tag in enumerate(dict.fromkeys(tags))}


def _tags(version: tuple[int, int], platforms: Sequence[str]) -> Iterator[Tag]:
    interpreter = "cp{}{}".format(*version)
    yield from cpython_tags(version, abis=[interpreter], platforms=platforms)
    yield from compatible_tags(version, interpreter=interpreter, platforms=platforms)


def _interpreter_values(python: str, version: tuple[int, int]) -> dict[str, str]:
    short = "{}.{}".format(*version)
    full = f"{short}.{_NEWEST_PATCH}" if python == short else python
    return {
        "python_version": short,
        "python_full_version": full,
        "implementation_name": "cpython",
        "implementation_version": full,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_version": "",
    }


def _platform(name: str) -> tuple[list[list[str]], dict[str, str]]:
    if name in _WINDOWS:
        return [[name]], _values("nt", "win32", "Windows", _WINDOWS[name])
    if name.startswith("macos_") and (arch := name.removeprefix("macos_")) in _MACOS:
        ladders = [list(mac_platforms((major, 0), arch)) for major in _MACOS[arch]]
        return ladders, _values("posix", "darwin", "Darwin", arch)
    found = _LINUX.fullmatch(name)
    if found is None or (found["kind"] == "manylinux" and found["level"] is None):
        raise SettingsError(f"platform {name!r}: {_ALLOWED}")
    arch = found["arch"]
    return _linux(found["kind"], found["level"], arch), _values("posix", "linux", "Linux", arch)


def _values(os_name: str, sys_platform: str, system: str, machine: str) -> dict[str, str]:
    return {
        "os_name": os_name,
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
    }


def _linux(kind: str, level: str | None, arch: str) -> list[list[str]]:
    ladder = _musl_ladder if kind == "musllinux" else _glibc_ladder
    if level is not None:
        return [ladder(int(level.rpartition("_")[2]), arch)]
    return [ladder(minor, arch) for minor in (_MUSL if kind == "musllinux" else _GLIBC)]


def _glibc_ladder(minor: int, arch: str) -> list[str]:
    """Give the platform tags that a machine with glibc 2.``minor`` takes (PEP 600)."""
    tags = []
    for each in range(minor, _OLDEST.get(arch, 17) - 1, -1):
        tags.append(f"manylinux_2_{each}_{arch}")
        if each in _ALIASES:
            tags.append(f"{_ALIASES[each]}_{arch}")
    return [*tags, f"linux_{arch}"]


def _musl_ladder(minor: int, arch: str) -> list[str]:
    """Give the platform tags that a machine with musl 1.``minor`` takes (PEP 656)."""
    return [*(f"musllinux_1_{each}_{arch}" for each in range(minor, -1, -1)), f"linux_{arch}"]
