"""Reading of TOML into shapes, with errors in the words of whoever wrote the file."""

from __future__ import annotations

import tomllib
from typing import TypeVar

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from cheesebox.errors import UnreadableLock

_Shape = TypeVar("_Shape")


def read_toml(text: str, shape: type[_Shape]) -> _Shape:
    """Read a TOML document of the given shape; raises `UnreadableLock`."""
    try:
        return msgspec.convert(tomllib.loads(text), shape)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UnreadableLock(f"not a lock file of this kind: {error}") from error


def exactly(version: str) -> SpecifierSet:
    """Give the specifier of one version; raises `UnreadableLock`."""
    try:
        return SpecifierSet(f"=={version}")
    except InvalidSpecifier as error:
        raise UnreadableLock(f"{version!r} is no version (PEP 440)") from error
