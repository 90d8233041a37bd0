"""Bodies as files below the cache directory, in the upstream's own path.

Rules of this module:
1. A name below the cache directory is only ever made by `os.replace` of a finished part.
2. Parts lie in ``.parts`` on the same file system, so that the rename is atomic; what a crash left
   there is removed at the next start.
3. One program at a time owns the directory: it holds a lock on ``.lock``.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import mmap
import os
import stat
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

from cheesebox.errors import CacheInUse, SettingsError, StoreError, StoreFull
from cheesebox.ports import Key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cheesebox.ports import Part

_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This directory is the cache of cheesebox.\n"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_OURS = {"lost+found"}  # the root of a file system that was mounted for the cache
_GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_IOV_MAX = 1024
_NOT_CACHED = (errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS)
_NO_WAIT = getattr(os, "RWF_NOWAIT", 0)
"""Linux only; elsewhere the read may block, which a warm page cache makes unlikely."""


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Translate what the system says into our errors."""
    try:
        yield
    except OSError as error:
        kind = StoreFull if error.errno in _NO_ROOM else StoreError
        raise kind(f"cannot {doing}: {error.strerror or error}") from error


def _is_cached(fd: int, offset: int, length: int) -> bool:
    """Tell whether reading a slice would not wait for the disk.

    Only its ends are asked for: the kernel reads ahead in order, and reading all of it in that way
    would cost one more copy.
    """
    probe = bytearray(1)
    try:
        return all(os.preadv(fd, [probe], position, _NO_WAIT) for position in (offset, offset + length - 1))
    except OSError as error:
        if error.errno in _NOT_CACHED:
            return False
        raise StoreError(f"cannot read from the cache directory: {error.strerror}") from error


def is_in_use(root: Path) -> bool:
    """Tell whether a program has the cache directory now."""
    try:
        fd = os.open(root / ".lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


class PartFile:
    """A body that is growing under ``.parts``."""

    def __init__(self, path: Path, *, keep: bool = False) -> None:
        """Open it, empty unless what it holds is to be kept (`measure` it then)."""
        self.path = path
        self.size = 0
        self._admitted = False
        how = os.O_RDWR | os.O_CLOEXEC | (0 if keep else os.O_CREAT | os.O_TRUNC)
        self._fd = os.open(path, how, 0o644)

    def append(self, chunks: Sequence[bytes]) -> None:
        """Write at the end. A failed write leaves ``size`` as it was."""
        with translated("write to the cache directory"):
            offset = self.size
            for start in range(0, len(chunks), _IOV_MAX):
                offset += self._write(chunks[start : start + _IOV_MAX], offset)
            self.size = offset

    def _write(self, chunks: Sequence[bytes], offset: int) -> int:
        total = sum(map(len, chunks))
        written = os.pwritev(self._fd, chunks, offset)
        if written < total:
            rest = memoryview(b"".join(chunks))
            while written < total:
                written += os.pwrite(self._fd, rest[written:], offset + written)
        return total

    def read(self, offset: int, length: int) -> bytes:
        """Read what was written."""
        with translated("read from the cache directory"):
            return os.pread(self._fd, length, offset)

    def measure(self) -> int:
        """Take over what another process wrote to the handle."""
        self.size = os.fstat(self._fd).st_size
        return self.size

    def read_cached(self, offset: int, length: int) -> bytes | None:
        """Read what the page cache holds, as it does what was just written."""
        return self.read(offset, length) if _is_cached(self._fd, offset, length) else None

    def truncate(self) -> None:
        """Forget all bytes written."""
        with translated("truncate a part"):
            os.ftruncate(self._fd, 0)
        self.size = 0

    def admitted(self) -> None:
        """Note that the name has moved."""
        self._admitted = True

    def discard(self) -> None:
        """Remove the part's name unless it was admitted; the open handle goes on to read."""
        if not self._admitted:
            with suppress(FileNotFoundError):
                self.path.unlink()

    def fileno(self) -> int:
        """Give the open file descriptor."""
        return self._fd

    def close(self) -> None:
        """Close the handle; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class FileBlob:
    """An open stored file."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def fileno(self) -> int:
        """Give the open file descriptor."""
        return self._fd

    def measure(self) -> int:
        """Look at the size again."""
        return os.fstat(self._fd).st_size

    def read_cached(self, offset: int, length: int) -> bytes | None:
        """Read what the page cache holds; None when the disk (or an old kernel) would block."""
        return self.read(offset, length) if _is_cached(self._fd, offset, length) else None

    def view_cached(self, offset: int, length: int) -> memoryview | None:
        """Map what the page cache holds: nothing is copied or allocated until it is sent."""
        if not _is_cached(self._fd, offset, length):
            return None
        before = offset % mmap.ALLOCATIONGRANULARITY
        try:
            window = mmap.mmap(
                self._fd, before + length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset - before
            )
        except (OSError, ValueError):  # no address space, or the file is shorter now: read it instead
            return None
        return memoryview(window)[before:]

    def read(self, offset: int, length: int) -> bytes:
        """Read a slice; short only at the end of the file."""
        with translated("read from the cache directory"):
            return os.pread(self._fd, length, offset)

    def close(self) -> None:
        """Close the handle; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def part_name(key: Key) -> str:
    """Give the name of a key's part, a digest: keys are longer than file names may be."""
    return hashlib.blake2b(key.encode(), digest_size=20).hexdigest() + ".part"


class DiskStore:
    """The `Store` on a directory."""

    def __init__(self, root: Path, *, keeps_parts: bool = False) -> None:
        """``keeps_parts``: what a crash left of downloads is not swept, but left to `DiskPartNotes`."""
        self.root = root
        self.parts = root / ".parts"
        self._keeps_parts = keeps_parts
        self._lock_fd = -1
        self._folders = threading.Lock()

    def prepare(self) -> None:
        """Make or take over the directory and sweep it; raises `SettingsError` when it can't be used."""
        try:
            self._claim()
        except OSError as error:
            raise SettingsError(
                f"cache_dir {self.root}: {error.strerror}; name a directory that this user may write "
                "(--cache-dir DIR)"
            ) from error

    def _claim(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        tag = self.root / "CACHEDIR.TAG"
        if not tag.exists():
            if any(path.name not in _NOT_OURS for path in self.root.iterdir()):
                raise SettingsError(
                    f"cache_dir {self.root}: not empty and no cheesebox cache; name an empty or new directory"
                )
            tag.write_text(_TAG)
        elif "cheesebox" not in tag.read_text(errors="replace"):
            raise SettingsError(
                f"cache_dir {self.root}: the cache of another program; name another directory"
            )
        self._lock_fd = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CacheInUse(
                f"cache_dir {self.root}: in use by another cheesebox; stop it or name another directory"
            ) from error
        self.parts.mkdir(exist_ok=True)
        if not self._keeps_parts:
            for leftover in self.parts.iterdir():
                leftover.unlink()

    def close(self) -> None:
        """Let another program have the directory."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def path_of(self, key: Key) -> Path:
        """Give the file that holds this object."""
        return self.root / key

    def begin(self, key: Key) -> PartFile:
        """Open a part for this key."""
        with translated("write to the cache directory"):
            return PartFile(self.parts / part_name(key))

    def admit(self, part: Part, key: Key) -> None:
        """Give the part its final name."""
        part = cast("PartFile", part)
        path = self.path_of(key)
        with self._folders, translated("write to the cache directory"):
            path.parent.mkdir(parents=True, exist_ok=True)
            part.path.replace(path)
        part.admitted()

    def open(self, key: Key) -> FileBlob | None:
        """Open an object, or tell that there is no file (any more) that can be read."""
        try:
            fd = os.open(self.path_of(key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (*_GONE, PermissionError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:  # somebody put a link there
                return None
            raise StoreError(f"cannot open a cached file: {error.strerror}") from error
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return FileBlob(fd)
        os.close(fd)
        return None

    def remove(self, key: Key) -> None:
        """Remove an object and the directories that it leaves empty; idempotent."""
        path = self.path_of(key)
        with self._folders, translated("remove a cached file"), suppress(*_GONE):
            path.unlink()
            self._remove_empty_folders(path)

    def _remove_empty_folders(self, path: Path) -> None:
        for parent in path.parents:
            if parent == self.root:
                break
            try:
                parent.rmdir()
            except OSError:  # not empty: the usual end
                break

    def walk(self) -> Iterator[Key]:
        """Give the key of every object; the order is the file system's."""
        for index in self._subdirectories():
            for folder, _, names in os.walk(index):
                for name in names:
                    yield Key(os.path.relpath(os.path.join(folder, name), self.root))  # noqa: PTH118 - a hot loop over strings

    def _subdirectories(self) -> list[Path]:
        return [path for path in self.root.iterdir() if path.is_dir() and not path.name.startswith(".")]

    def free_space(self) -> int:
        """Bytes that this user may still write to the file system."""
        with translated("look at the file system"):
            state = os.statvfs(self.root)
        return state.f_bavail * state.f_frsize
