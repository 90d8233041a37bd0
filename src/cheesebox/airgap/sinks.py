"""Where an export is written to: a directory or a ``.tar.zst`` archive. It appears whole or not at all.

The same content gives the same bytes: no owner, no times, one order.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cheesebox.errors import BadExport

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cheesebox.ports import Blob

ARCHIVE = ".tar.zst"
_LEVEL = 3  # most of it is compressed already
_CHUNK = 1 << 20


class Sink(Protocol):
    """Takes the files of an export, one after the other."""

    def add(self, path: str, size: int, chunks: Iterable[bytes]) -> None:
        """Write a file; the path is relative, with slashes."""
        ...


class _Directory:
    def __init__(self, root: Path) -> None:
        self._root = root

    def add(self, path: str, size: int, chunks: Iterable[bytes]) -> None:  # noqa: ARG002 - of use to archives
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.writelines(chunks)


class _Archive:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(self, path: str, size: int, chunks: Iterable[bytes]) -> None:
        member = tarfile.TarInfo(path)
        member.size = size
        member.mode = 0o644
        self._tar.addfile(member, _Reader(chunks))


class _Reader:
    """Chunks as `tarfile` reads them: exactly as many bytes as it asks for."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = b""
        self._position = 0

    def read(self, size: int = 0, /) -> bytes:
        pieces = []
        while size > 0:
            if self._position == len(self._chunk):
                self._chunk, self._position = next(self._chunks, b""), 0
            piece = self._chunk[self._position : self._position + size]
            if not piece:
                break
            pieces.append(piece)
            self._position += len(piece)
            size -= len(piece)
        return b"".join(pieces)


def chunks_of(blob: Blob, size: int) -> Iterator[bytes]:
    """Read a stored object piece by piece. Blocks."""
    for offset in range(0, size, _CHUNK):
        yield blob.read(offset, min(_CHUNK, size - offset))


@contextmanager
def open_sink(target: Path) -> Iterator[Sink]:
    """Write an export; what was begun is removed when something fails.

    An archive takes the place of an older one, a directory has to be new or empty. Raises `BadExport`.
    """
    opening = _archive if target.name.endswith(ARCHIVE) else _directory
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with opening(target) as sink:
            yield sink
    except OSError as error:
        raise BadExport(f"{target}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _directory(target: Path) -> Iterator[Sink]:
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise BadExport(f"{target}: is there already; name a new or empty directory, or a file {ARCHIVE}")
    with ExitStack() as undo:
        growing = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        undo.callback(shutil.rmtree, growing, ignore_errors=True)
        yield _Directory(growing)
        growing.chmod(0o755)
        growing.replace(target)
        undo.pop_all()


@contextmanager
def _archive(target: Path) -> Iterator[Sink]:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    growing = Path(name)
    with ExitStack() as undo:
        undo.callback(growing.unlink, missing_ok=True)
        with (
            os.fdopen(handle, "wb") as file,
            zstd.ZstdFile(file, "wb", level=_LEVEL) as compressed,
            tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            yield _Archive(tar)
        growing.chmod(0o644)
        growing.replace(target)
        undo.pop_all()
