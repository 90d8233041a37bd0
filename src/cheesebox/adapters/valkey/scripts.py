"""The scripts that run on the server, and the names it knows them by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua program; ``digest`` is SHA-1 in hex, as ``EVALSHA`` wants it."""

    text: str
    digest: str


def load_scripts() -> dict[str, Script]:
    """Read all scripts; each begins with what they have in common."""
    folder = resources.files(__package__).joinpath("lua")
    texts = {file.name.removesuffix(".lua"): file.read_text("utf-8") for file in folder.iterdir()}
    common = texts.pop("common")
    return {name: _script(common + text) for name, text in texts.items()}


def _script(text: str) -> Script:
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
