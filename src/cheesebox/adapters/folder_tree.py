"""A directory of wheels and source distributions: what lies there, and what the files say of themselves.

Flat, or one level deep (a folder a project). Nothing is followed: neither a link to a file nor one to a
directory, so nothing outside can be served. Names that begin with a dot are left alone. All calls block.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from email.parser import BytesHeaderParser
from functools import partial
from typing import TYPE_CHECKING

from cheesebox.adapters.disk_store import FileBlob
from cheesebox.cache.folders import Facts, FolderFile
from cheesebox.errors import StoreError
from cheesebox.simple.wheel_archive import UnreadableWheel, read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_SUFFIXES = (".whl", ".tar.gz", ".zip")


class FolderTree:
    """Looks at one directory tree."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def scan(self) -> tuple[FolderFile, ...]:
        """Give all distribution files, sorted by path; raises `StoreError`."""
        try:
            return tuple(sorted(self._files(), key=lambda file: file.path))
        except OSError as error:
            raise StoreError(f"{self.root}: {error.strerror}") from error

    def _files(self) -> Iterator[FolderFile]:
        yield from _distributions(self.root, "")
        with os.scandir(self.root) as entries:
            folders = [e.name for e in entries if e.is_dir(follow_symlinks=False) and e.name[0] != "."]
        for folder in folders:
            with suppress(FileNotFoundError):  # it was removed since
                yield from _distributions(self.root / folder, f"{folder}/")

    def open(self, file: FolderFile) -> FileBlob | None:
        """Open the very file that was seen; None when it is gone or another one now."""
        try:
            fd = self._open(file.path)
        except OSError:
            return None
        if _identity(file.path, os.fstat(fd)) != file:
            os.close(fd)
            return None
        return FileBlob(fd)

    def _open(self, path: str) -> int:
        """Open component by component: a link put in the way since the scan is refused too."""
        *folders, name = path.split("/")
        at = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(folder, flags, dir_fd=at)
                os.close(at)
                at = below
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
        finally:
            os.close(at)

    def describe(self, file: FolderFile) -> Facts | None:
        """Read what is to be said of a file; None when it is gone, or no whole distribution."""
        try:
            fd = self._open(file.path)
        except OSError:
            return None
        with os.fdopen(fd, "rb") as body:
            if _identity(file.path, os.fstat(fd)) != file:
                return None
            digest = hashlib.file_digest(body, "sha256").hexdigest()
            if not file.path.endswith(".whl"):
                return Facts(digest)
            try:
                metadata = read_metadata(file.path.rpartition("/")[2], file.size, partial(_read, body))
            except (UnreadableWheel, OSError):
                return None  # still being copied, or no wheel
        return Facts(digest, metadata, BytesHeaderParser().parsebytes(metadata).get("Requires-Python"))


def _distributions(folder: Path, prefix: str) -> Iterator[FolderFile]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_SUFFIXES) and entry.name[0] != ".":
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        yield _identity(prefix + entry.name, status)


def _identity(path: str, status: os.stat_result) -> FolderFile:
    return FolderFile(path, status.st_size, status.st_mtime_ns, status.st_ino)


def _read(body: BinaryIO, start: int, stop: int) -> bytes:
    body.seek(start)
    return body.read(stop - start)
