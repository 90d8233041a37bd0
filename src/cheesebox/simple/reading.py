"""The door for what an index sent: a body and its ``Content-Type`` become a page or a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.errors import UnreadablePage
from cheesebox.simple.read_html import read_html_list, read_html_page
from cheesebox.simple.read_json import read_json_list, read_json_page

if TYPE_CHECKING:
    from cheesebox.simple.model import ProjectList, ProjectPage
    from cheesebox.simple.names import ProjectName

_JSON_TYPES = frozenset({"application/vnd.pypi.simple.v1+json"})
_HTML_TYPES = frozenset({"application/vnd.pypi.simple.v1+html", "text/html"})
_LEADING = b"\xef\xbb\xbf \t\r\n"


def read_project_page(body: bytes, content_type: str, url: str, name: ProjectName) -> ProjectPage:
    """Read a project page that came from ``url`` (after redirects, relative links are joined with it).

    Raises `UnreadablePage` when the body is not what its type says.
    """
    if _is_json(body, content_type):
        return read_json_page(body, url, name)
    return read_html_page(body, content_type, url, name)


def read_project_list(body: bytes, content_type: str, url: str) -> ProjectList:
    """Read the list of all projects; raises `UnreadablePage` like `read_project_page`."""
    if _is_json(body, content_type):
        return read_json_list(body)
    return read_html_list(body, content_type, url)


def _is_json(body: bytes, content_type: str) -> bool:
    """Go by the label; where it says nothing of use, by the first character."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in _JSON_TYPES:
        return True
    if media_type in _HTML_TYPES:
        return False
    first = body[:512].lstrip(_LEADING)[:1]
    if first not in {b"{", b"<"}:
        raise UnreadablePage(f"A body of type {content_type[:100]!r} is no index page")
    return first == b"{"
