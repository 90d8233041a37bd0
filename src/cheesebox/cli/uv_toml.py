"""uv's ``uv.toml``: which indexes it names, and a new default one beside all that is there; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from cheesebox.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomlkit import TOMLDocument

NAME = "cheesebox"


@dataclass(frozen=True, slots=True)
class UvIndexes:
    """The indexes of a ``uv.toml``; further ones are asked before the default one."""

    default: str | None
    further: tuple[str, ...]


def read(text: str) -> UvIndexes:
    """Read the indexes; raises `SettingsError` on what is no TOML of uv's shape."""
    document = _parse(text)
    tables = _tables(document)
    defaults = [str(table.get("url", "")) for table in tables if table.get("default")]
    further = [str(table.get("url", "")) for table in tables if not table.get("default")]
    old_default, old_further = document.get("index-url"), document.get("extra-index-url", [])
    default = defaults[0] if defaults else old_default
    return UvIndexes(None if default is None else str(default), (*further, *map(str, old_further)))


def with_default_index(text: str, url: str) -> str:
    """Give the text with this URL as the default index; every other key and comment stays."""
    document = _parse(text)
    tables = _tables(document)
    ours = next((table for table in tables if table.get("default")), None)
    if ours is None:
        ours = next((table for table in tables if table.get("name") == NAME), None)
    if ours is None:
        return _with_table(text, document, url)
    if ours.get("url") == url and ours.get("default"):
        return text
    ours["url"] = url
    ours["default"] = True
    return tomlkit.dumps(document)


def _parse(text: str) -> TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise SettingsError(f"not TOML: {error}") from error


def _tables(document: TOMLDocument) -> Sequence[Any]:
    tables = document.get("index", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingsError("index: not an array of tables")
    return tables


def _with_table(text: str, document: TOMLDocument, url: str) -> str:
    entries = {"name": NAME, "url": url, "default": True}
    if isinstance(tables := document.get("index"), tomlkit.items.Array):
        inline = tomlkit.inline_table()
        inline.update(entries)
        tables.append(inline)
        return tomlkit.dumps(document)
    # A table at the end of the text belongs to nothing before it, and needs no words of others moved.
    table = tomlkit.document()
    table.update(entries)
    before = text if not text or text.endswith("\n") else f"{text}\n"
    gap = "\n" if before.strip() else ""
    return f"{before}{gap}[[index]]\n{tomlkit.dumps(table)}"
