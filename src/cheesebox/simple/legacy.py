"""The legacy JSON API, ``/pypi/<project>/json``: passed through with our links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cheesebox.simple.read_json import decode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def rewrite_project_json(body: bytes, link: Callable[[str], str]) -> bytes:
    """Replace the file URLs by ``link(url)`` and keep everything else.

    File URLs are ``urls[].url`` and ``releases[*][].url``. Raises `UnreadablePage` when the body is
    not a JSON object; parts of another shape than expected stay as they are.
    """
    document = decode_json(body, dict[str, Any])
    for file in _files(document):
        if isinstance(file.get("url"), str):
            file["url"] = link(file["url"])
    return msgspec.json.encode(document) + b"\n"


def _files(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    releases = document.get("releases")
    groups = [document.get("urls"), *(releases.values() if isinstance(releases, dict) else ())]
    for group in groups:
        if isinstance(group, list):
            yield from (file for file in group if isinstance(file, dict))
