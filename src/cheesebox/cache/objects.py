"""Which project a stored object belongs to, by its key alone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cheesebox.simple.names import project_of

if TYPE_CHECKING:
    from cheesebox.ports import Key

_PAGE = ".page"
_DOCUMENTS = ("simple", "pypi", "integrity")
_DEPTH = 2


def index_of(key: Key) -> str:
    """Give the name of the index that an object is stored for."""
    return key.partition("/")[0]


def project_of_key(key: Key) -> str:
    """Give the project; empty for what belongs to none, such as the project list.

    Keys of documents have the project's name in their path, files tell it by their own name.
    """
    _, _, path = key.partition("/")
    segments = path.split("/")
    if segments[0] in _DOCUMENTS and path.endswith(_PAGE):
        return segments[1].removesuffix(_PAGE) if len(segments) >= _DEPTH else ""
    return (project_of(segments[-1]) or "") if len(segments) >= _DEPTH else ""
