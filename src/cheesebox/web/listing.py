"""The page that lists a folder. Pure: entries go in, HTML comes out."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from cheesebox.units import human_size
from cheesebox.web.static_paths import is_hidden

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cheesebox.cache.static_files import ListedEntry

_NANOSECONDS = 10**9
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:1.5rem auto;padding:0 1rem}"
    "h1{font-size:1.25rem;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%}"
    "th{text-align:left;font-weight:600}"
    "th,td{padding:.4rem .75rem .4rem 0;border-bottom:1px solid #8884;vertical-align:baseline}"
    "td:first-child{overflow-wrap:anywhere;width:100%}"
    ".n,.d{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
    "span{white-space:nowrap}"
    "@media(max-width:32rem){.d{white-space:normal}}"
)
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<table>
<thead><tr><th scope="col">Name</th><th scope="col" class="n">Size</th>\
<th scope="col" class="d">Changed (UTC)</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def render(names: tuple[bytes, ...], entries: Iterable[ListedEntry]) -> bytes:
    """Write the listing of a folder: folders first, then by name; links are relative.

    ``names`` leads from the mount to the folder; the mount's own listing has no link upwards.
    """
    shown = sorted((entry for entry in entries if not is_hidden(entry.name)), key=_order)
    rows = [_row(entry) for entry in shown]
    if names:
        rows.insert(0, '<tr><td><a href="../">../</a></td><td class="n"></td><td class="d"></td></tr>')
    title = escape("/" + "".join(f"{_text(name)}/" for name in names))
    return _PAGE.format(title=title, style=_STYLE, rows="\n".join(rows)).encode()


def _order(entry: ListedEntry) -> tuple[bool, str, bytes]:
    return entry.size is not None, _text(entry.name).casefold(), entry.name


def _row(entry: ListedEntry) -> str:
    slash = "/" if entry.size is None else ""
    size = "" if entry.size is None else human_size(entry.size)
    link = f'<a href="{quote(entry.name, safe="")}{slash}">{escape(_text(entry.name))}{slash}</a>'
    return f'<tr><td>{link}</td><td class="n">{size}</td><td class="d">{_date(entry.modified)}</td></tr>'


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _date(modified: int) -> str:
    """Write day and time, which part only where the screen is narrow."""
    try:
        moment = datetime.fromtimestamp(modified // _NANOSECONDS, UTC)
    except (ValueError, OverflowError, OSError):  # a clock was wrong by millennia
        return ""
    return f"<span>{moment:%Y-%m-%d}</span> <span>{moment:%H:%M}</span>"
