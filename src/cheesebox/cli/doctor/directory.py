"""Verdicts about the cache directory, the disk below it and files of secrets; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from cheesebox.cli.doctor.findings import Finding, fail, ok, warn
from cheesebox.units import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FEW_INODES = 10_000
_OTHERS_READ = 0o077


class Claim(Enum):
    """What is in the directory."""

    NOTHING = auto()
    OURS = auto()
    FOREIGN = auto()


@dataclass(frozen=True, slots=True)
class Space:
    """The file system, in bytes and inodes; no inodes at all means that it does not count them."""

    free: int
    inodes: int
    inodes_free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryFacts:
    """What was seen of the cache directory.

    ``writing``, ``renaming`` and ``locking`` hold why that does not work, None where it does.
    ``stored`` is in bytes.
    """

    path: Path
    claim: Claim
    writing: str | None = None
    renaming: str | None = None
    locking: str | None = None
    is_locked: bool = False
    space: Space
    stored: int = 0


@dataclass(frozen=True, slots=True)
class SpaceLimits:
    """What the settings ask of the disk, bytes."""

    max_size: int
    min_free: int


def judge_directory(facts: DirectoryFacts, *, server_answers: bool) -> Iterator[Finding]:
    """Judge whether the directory can hold the cache."""
    check, path = "cache_dir", facts.path
    another = "name another directory (--cache-dir DIR)"
    if facts.claim is Claim.FOREIGN:
        yield fail(check, f"{path} is not empty and no cheesebox cache", another)
        return
    if facts.writing is not None:
        fix = f"give it to the user who runs the server (chown), or {another}"
        yield fail(check, f"{path} cannot be written: {facts.writing}", fix)
        return
    for what, why in (("renamed", facts.renaming), ("locked", facts.locking)):
        if why is not None:
            fix = f"{another} on a local file system"
            yield fail(check, f"{path}: files cannot be {what} there: {why}", fix)
    if facts.is_locked and not server_answers:
        fix = "stop the other cheesebox, or ask that one: its host and port are not those set here"
        yield warn(check, f"{path} is in use by another cheesebox", fix)
    elif facts.renaming is None and facts.locking is None:
        told = (
            "is not there yet and can be made" if facts.claim is Claim.NOTHING else "is a cache and writable"
        )
        yield ok(check, f"{path} {told}")


def judge_space(facts: DirectoryFacts, limits: SpaceLimits) -> Iterator[Finding]:
    """Judge what may still be written."""
    space = facts.space
    usable = max(0, space.free - limits.min_free)
    wanted = max(0, limits.max_size - facts.stored)
    said = (
        f"{human_size(space.free)} free, {human_size(facts.stored)} of {human_size(limits.max_size)} stored"
    )
    if not usable and wanted:
        yield fail(
            "disk", f"{said}; min_free wants {human_size(limits.min_free)}", "free some, or lower min_free"
        )
    elif usable < wanted:
        fix = f"set max_size to {human_size(facts.stored + usable).replace(' ', '')} or less, or free some"
        yield warn("disk", f"{said}; the disk is full before max_size is reached", fix)
    else:
        yield ok("disk", said)
    if space.inodes and space.inodes_free < _FEW_INODES:
        told = f"{space.inodes_free} of {space.inodes} inodes are left: one a file is needed"
        verdict = warn if space.inodes_free else fail
        yield verdict("disk", told, "remove small files, or set max_entries")


def judge_secret(path: Path, mode: int) -> Finding:
    """Judge who may read a file with a secret in it; ``mode`` as of `os.stat`."""
    if mode & _OTHERS_READ:
        return warn("permissions", f"{path} holds a secret that other users may read", f"chmod 600 {path}")
    return ok("permissions", f"{path} is its owner's alone")
