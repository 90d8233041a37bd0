"""The access file, read again when it changes; and the token that lets ``cheesebox run`` in."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from cheesebox.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

RUN_TOKEN = "run.token"  # noqa: S105 - a file's name


class AccessFile:
    """The text of a file, whenever it is another one. All calls block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int, int] | None = None

    def read_if_changed(self) -> str | None:
        """Give the text if the file has changed since the last time; raises `SettingsError`."""
        try:
            state = self.path.stat()
            stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
            if stamp == self._stamp:
                return None
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"access_file: {self.path}: {_reason(error)}") from error
        self._stamp = stamp
        return text


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "not UTF-8"


def write_run_token(cache_dir: Path, token: str) -> None:
    """Leave a token where only the owner of the cache directory can read it; raises OSError."""
    path = cache_dir / RUN_TOKEN
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(token)


def read_run_token(cache_dir: Path) -> str | None:
    """Give the token of the server that has this cache directory, if it needs one."""
    try:
        return (cache_dir / RUN_TOKEN).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def remove_run_token(cache_dir: Path) -> None:
    """Remove the token; it has no meaning any more."""
    with suppress(OSError):
        (cache_dir / RUN_TOKEN).unlink()
