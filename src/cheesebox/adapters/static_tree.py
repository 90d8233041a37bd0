"""The directory tree of a static site.

Rules of this module:
1. A path is walked component by component, each opened below the last one and none of them followed if
   it is a link: whatever is moved or linked meanwhile, nothing outside of the root is ever opened.
2. Only regular files and directories are opened, and only they are listed.
3. What this user may not read counts as not there.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cheesebox.adapters.disk_store import FileBlob
from cheesebox.cache.static_files import FoundFile, FoundFolder, ListedEntry, Mark
from cheesebox.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_THERE = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.EMLINK,  # what a link is on FreeBSD
        errno.EACCES,
        errno.EPERM,
        errno.ENAMETOOLONG,
        errno.ENXIO,  # what a socket is
    }
)


class DirectoryTree:
    """The `StaticTree` on a directory. The root itself may be a link: who set it means where it leads."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, names: tuple[bytes, ...]) -> FoundFile | FoundFolder | None:
        """Open what lies below these names."""
        with _absence_is_none(), self._parent(names[:-1]) as parent:
            if not names:
                return FoundFolder()
            fd = _open(names[-1], parent)
            return None if fd is None else _found(names[-1], fd)
        return None

    def entries(self, names: tuple[bytes, ...]) -> FoundFolder | None:
        """Look at a folder's entries, in the file system's order."""
        with _absence_is_none(), self._parent(names) as fd, os.scandir(fd) as found:
            return FoundFolder(tuple(_listed(found)))
        return None

    @contextmanager
    def _parent(self, names: tuple[bytes, ...]) -> Iterator[int]:
        at = os.open(self._root, _FOLDER & ~os.O_NOFOLLOW)
        try:
            for name in names:
                below = os.open(name, _FOLDER, dir_fd=at)
                os.close(at)
                at = below
            yield at
        finally:
            os.close(at)


@contextmanager
def _absence_is_none() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise StoreError(f"cannot read a static file: {error.strerror}") from error


def _open(name: bytes, parent: int) -> int | None:
    """Open a regular file or a directory. To open anything else may have effects: it is looked at first."""
    mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    return os.open(name, _FILE, dir_fd=parent) if _is_served(mode) else None


def _is_served(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _found(name: bytes, fd: int) -> FoundFile | FoundFolder | None:
    try:
        state = os.fstat(fd)
        if stat.S_ISREG(state.st_mode):
            mark = Mark(state.st_size, state.st_mtime_ns, state.st_ino)
            blob, fd = FileBlob(fd), -1
            return FoundFile(name, blob, mark)
        return FoundFolder() if stat.S_ISDIR(state.st_mode) else None
    finally:
        if fd >= 0:
            os.close(fd)


def _listed(found: Iterator[os.DirEntry[str]]) -> Iterator[ListedEntry]:
    for entry in found:
        with suppress(FileNotFoundError):  # it was removed since
            state = entry.stat(follow_symlinks=False)
            if _is_served(state.st_mode):
                size = state.st_size if stat.S_ISREG(state.st_mode) else None
                yield ListedEntry(os.fsencode(entry.name), size, state.st_mtime_ns)
