"""Writing of HTML pages (PEP 503, 592, 658, 714, 740, 792), which stay at API 1.4 (PEP 833)."""

from __future__ import annotations

import html
import re
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from cheesebox.simple.api_version import html_api_version
from cheesebox.simple.names import canonical_spelling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cheesebox.simple.links import Linker
    from cheesebox.simple.model import DistributionFile, ProjectList, ProjectPage

# A client that meets any other algorithm in a fragment may refuse the page.
_ALGORITHMS = ("sha256", "sha512", "sha384", "blake2b", "md5")
_HEX = re.compile(r"[0-9a-fA-F]+")
_NAMES_A_PIECE = 8192
_FOOT = "  </body>\n</html>\n"


def write_project_html(
    page: ProjectPage, link: Linker, provenance: Callable[[str], str] | None = None
) -> bytes:
    """Write a project page as UTF-8 HTML; ``provenance`` rewrites the URLs of attestations."""
    metas = [("pypi:project-status", page.status)]
    if page.status_reason:
        metas.append(("pypi:project-status-reason", page.status_reason))
    head = _head(f"Links for {page.name}", page.api_version, metas)
    anchors = [_anchor(file, link, provenance) for file in page.files]
    return "".join([head, *anchors, _FOOT]).encode()


def write_list_html(projects: ProjectList) -> Iterator[bytes]:
    """Write the list of projects in pieces, with links relative to its own URL."""
    yield _head("Simple index", projects.api_version, []).encode()
    names = iter(projects.names)
    while piece := list(islice(names, _NAMES_A_PIECE)):
        yield "".join(map(_listed, piece)).encode()
    yield _FOOT.encode()


def _head(title: str, api_version: str, metas: Iterable[tuple[str, str]]) -> str:
    all_metas = [("pypi:repository-version", html_api_version(api_version)), *metas]
    lines = "".join(f'    <meta name="{name}" content="{_escape(value)}">\n' for name, value in all_metas)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n  <head>\n    <meta charset="utf-8">\n'
        f"{lines}    <title>{_escape(title)}</title>\n  </head>\n  <body>\n    <h1>{_escape(title)}</h1>\n"
    )


def _anchor(file: DistributionFile, link: Linker, provenance: Callable[[str], str] | None) -> str:
    attributes = {"href": link(file) + _fragment(file.hashes), **_optional(file)}
    if file.provenance:
        attributes["data-provenance"] = provenance(file.provenance) if provenance else file.provenance
    written = " ".join(f'{name}="{_escape(value)}"' for name, value in attributes.items())
    return f"    <a {written}>{_escape(file.filename)}</a><br />\n"


def _fragment(hashes: Mapping[str, str]) -> str:
    return f"#{digest}" if (digest := _digest(hashes)) else ""


def _digest(hashes: Mapping[str, str]) -> str | None:
    """Give the digest that most clients can use, as ``<algorithm>=<hex>``."""
    usable = (name for name in _ALGORITHMS if _HEX.fullmatch(hashes.get(name, "")))
    name = next(usable, None)
    return f"{name}={hashes[name]}" if name else None


def _optional(file: DistributionFile) -> dict[str, str]:
    """Give the attributes for what is known of the file."""
    attributes: dict[str, str] = {}
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if yanked := file.yanked:
        attributes["data-yanked"] = yanked if isinstance(yanked, str) else ""
    if metadata := file.core_metadata:
        digest = None if metadata is True else _digest(metadata)
        attributes["data-dist-info-metadata"] = attributes["data-core-metadata"] = digest or "true"
    if isinstance(signed := file.raw.get("gpg-sig"), bool):
        attributes["data-gpg-sig"] = str(signed).lower()
    return attributes | _beyond_the_standard(file)


def _beyond_the_standard(file: DistributionFile) -> dict[str, str]:
    """Give the attributes that uv reads from other indexes; the rest of the clients skip them."""
    attributes: dict[str, str] = {}
    if (size := file.size) is not None:
        attributes["data-size"] = str(size)
    if time := file.upload_time:
        attributes["data-upload-time"] = time.isoformat().replace("+00:00", "Z")
    return attributes


def _listed(name: str) -> str:
    href = quote(canonical_spelling(name), safe="")
    return f'    <a href="{href}/">{_escape(name)}</a><br />\n'


def _escape(value: str) -> str:
    """Escape for text and attributes; line breaks too, which parsers are free to normalise."""
    return html.escape(value).replace("\r", "&#13;").replace("\n", "&#10;")
