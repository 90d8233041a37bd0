"""A change of a configuration file: shown as a difference, written with a copy of what was there."""

from __future__ import annotations

import difflib
import itertools
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cheesebox.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Change:
    """What a file says and what it shall say; ``before`` is None where there is no file yet."""

    path: Path
    before: str | None
    after: str

    @property
    def is_needed(self) -> bool:
        """Tell whether the file does not say it already."""
        return self.before != self.after

    def difference(self) -> Sequence[str]:
        """Give the lines of a unified diff."""
        before, after = (self.before or "").splitlines(), self.after.splitlines()
        old = str(self.path) if self.before is not None else "(no file yet)"
        return list(difflib.unified_diff(before, after, old, str(self.path), lineterm=""))


def plan(path: Path, edit: Callable[[str], str]) -> Change:
    """Read a file and let ``edit`` say what it shall become. Raises `SettingsError`, names the file."""
    try:
        before = path.read_bytes().decode() if path.exists() else None
        return Change(path, before, edit(before or ""))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8; edit it by hand") from error
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def carry_out(change: Change) -> Path | None:
    """Write the file, all at once; gives the copy of the former one. Raises `SettingsError`."""
    target = change.path.resolve()  # a link to where somebody keeps such files stays one
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        backup = None
        if change.before is not None:
            backup = _free_name(target)
            shutil.copy2(target, backup)
        _replace(target, change.after)
    except OSError as error:
        raise SettingsError(f"{target}: {error.strerror}") from error
    return backup


def _free_name(path: Path) -> Path:
    numbered = (path.with_name(f"{path.name}.bak{number or ''}") for number in itertools.count())
    return next(name for name in numbered if not name.exists())


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
        if path.exists():
            shutil.copymode(path, fresh)
        else:
            fresh.chmod(0o600)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
