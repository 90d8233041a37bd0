"""Reads the policies of an index from settings: lists of matches, a kind of file, a moment."""

from __future__ import annotations

from typing import Any

from cheesebox.simple.matches import MATCH_EXAMPLES, Match, Matches, parse_match
from cheesebox.simple.moments import parse_moment
from cheesebox.simple.policies import Kind, Only

_TABLE = '{ match = "…", reason = "…" }'


def to_matches(value: Any) -> Matches:
    """Read a list of entries, or text in which spaces part them; raises ValueError."""
    if isinstance(value, str):
        value = value.split()
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r} is no list of entries: each is {MATCH_EXAMPLES}")  # noqa: TRY004 - what a converter raises
    return Matches(tuple(_match(entry) for entry in value))


def _match(entry: Any) -> Match:
    return parse_match(*_with_reason(entry))


def to_only(value: Any) -> Only:
    """Read which kind of file is served, with an optional reason; raises ValueError."""
    kind, reason = _with_reason(value)
    if kind not in {known.value for known in Kind}:
        raise ValueError(f"{kind!r} is none of {', '.join(known.value for known in Kind)}")
    return Only(Kind(kind), reason)


def _with_reason(entry: Any) -> tuple[str, str]:
    table = {"match": entry} if isinstance(entry, str) else entry
    if not isinstance(table, dict) or "match" not in table or not table.keys() <= {"match", "reason"}:
        raise ValueError(f"{entry!r} is no entry: give text, or {_TABLE}")
    match, reason = table["match"], table.get("reason", "")
    for text in (match, reason):
        if not isinstance(text, str) or not text.isprintable():
            raise ValueError(f"{text!r} is no text of one line")
    return match, reason


def to_moment(value: Any) -> str:
    """Take a day or a time; raises ValueError. TOML's own dates are taken as well."""
    text = value.isoformat() if hasattr(value, "isoformat") else value
    if not isinstance(text, str):
        raise ValueError(f"{value!r} is no text")  # noqa: TRY004 - what a converter raises
    parse_moment(text)
    return text
