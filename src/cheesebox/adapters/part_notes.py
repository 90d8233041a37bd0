"""Facts of parts, one JSON file beside each: ``.parts/<digest of the key>.part.json``."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from cheesebox.adapters.disk_store import PartFile, part_name, translated
from cheesebox.cache.leftovers import PartFacts
from cheesebox.ports import Key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUFFIX = ".json"
_OLDEST = 3600.0
"""Seconds since the last byte: the upstream's file has likely changed, or nobody wants it any more."""


class DiskPartNotes:
    """The `PartNotes` in the directory of parts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def found(self) -> Iterator[tuple[Key, int]]:
        """Give the parts that were left behind; those without facts, or too old, are removed."""
        with translated("look at parts"):
            for path in sorted(self._folder.iterdir()):
                if path.suffix == _SUFFIX:
                    if not path.with_suffix("").exists():
                        path.unlink(missing_ok=True)
                    continue
                facts, state = self._read(path), path.stat()
                if facts is None or time.time() - state.st_mtime > _OLDEST:
                    path.unlink()
                    self._beside(path).unlink(missing_ok=True)
                else:
                    yield Key(facts.key), state.st_size

    def note(self, facts: PartFacts) -> None:
        """Write it beside the part."""
        with translated("write to the cache directory"):
            self._beside(self._part(Key(facts.key))).write_bytes(msgspec.json.encode(facts))

    def take(self, key: Key) -> tuple[PartFile, PartFacts] | None:
        """Open the part, if it is that of the key."""
        path = self._part(key)
        facts = self._read(path)
        if facts is None or facts.key != key:
            return None
        with translated("open a part"):
            part = PartFile(path, keep=True)
        part.measure()
        return part, facts

    def forget(self, key: Key) -> None:
        """Remove the facts."""
        with translated("remove a part"):
            self._beside(self._part(key)).unlink(missing_ok=True)

    def remove(self, key: Key) -> None:
        """Remove both."""
        with translated("remove a part"):
            self._part(key).unlink(missing_ok=True)
        self.forget(key)

    def _part(self, key: Key) -> Path:
        return self._folder / part_name(key)

    @staticmethod
    def _beside(path: Path) -> Path:
        return path.with_name(path.name + _SUFFIX)

    def _read(self, path: Path) -> PartFacts | None:
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._beside(path).read_bytes(), type=PartFacts)
        return None
