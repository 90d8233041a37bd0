"""Where an import reads from: the files of a directory or an archive. Nobody vouches for either.

Rules of this module:
1. Only regular files are given out, each under a relative path without dot segments; links, devices
   and paths that lead outside are refused, and named.
2. Nothing is unpacked: bytes go to the reader alone, so that no filter of `tarfile` is needed, which
   not every Python 3.11 has.
"""

from __future__ import annotations

import os
import stat
import sys
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from cheesebox.airgap.sinks import ARCHIVE
from cheesebox.errors import BadExport

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """A file; it can be read until the next one is asked for."""

    path: str
    size: int
    file: IO[bytes]

    def chunks(self) -> Iterator[bytes]:
        """Read it piece by piece."""
        while chunk := self.file.read(_CHUNK):
            yield chunk


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that was not taken, and why."""

    path: str
    reason: str


def members(source: Path) -> Iterator[Member | Refused]:
    """Give the files of an export in some order; raises `BadExport` when it cannot be read."""
    walk = _archived if source.name.endswith(ARCHIVE) else _on_disk
    with _translated(source):
        yield from walk(source)


@contextmanager
def _translated(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadExport(f"{source}: cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, zstd.ZstdError, EOFError) as error:
        raise BadExport(f"{source}: not a whole {ARCHIVE} archive: {error}") from error


def _archived(source: Path) -> Iterator[Member | Refused]:
    with zstd.ZstdFile(source, "rb") as compressed, tarfile.open(fileobj=compressed, mode="r|") as tar:
        for info in tar:
            if not info.isdir():
                yield _archived_member(tar, info)


def _archived_member(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Member | Refused:
    if not info.isreg() or info.issparse():
        return Refused(info.name, "no regular file")
    file = tar.extractfile(info)
    if file is None or not _is_plain(info.name):
        return Refused(info.name, "no path within an export")
    return Member(info.name, info.size, file)


def _is_plain(path: str) -> bool:
    return bool(path) and all(segment not in {"", ".", ".."} for segment in path.split("/"))


def _on_disk(source: Path) -> Iterator[Member | Refused]:
    if not source.is_dir():
        raise BadExport(f"{source}: neither a directory nor a file {ARCHIVE}")
    for folder, folders, names in os.walk(source, onerror=_raise):
        folders.sort()
        for name in sorted([*names, *(each for each in folders if (source / folder / each).is_symlink())]):
            path = source / folder / name
            yield from _member_on_disk(path, path.relative_to(source).as_posix())


def _raise(error: OSError) -> None:
    raise error


def _member_on_disk(path: Path, name: str) -> Iterator[Member | Refused]:
    if not stat.S_ISREG(path.lstat().st_mode):
        yield Refused(name, "no regular file")
        return
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123 - pathlib cannot refuse links
        yield Member(name, os.fstat(file.fileno()).st_size, file)
