"""Reading of HTML pages (PEP 503, 592, 658, 714, 740, 792) into the shape that JSON has.

Whatever the page says of its version, the result speaks API 1.0: it cannot have what 1.1 asks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec

from cheesebox.errors import InvalidName, UnreadablePage
from cheesebox.simple.api_version import BASE_VERSION, check_api_version
from cheesebox.simple.model import DistributionFile, ProjectList, ProjectPage
from cheesebox.simple.names import normalize
from cheesebox.simple.urls import resolve_link

if TYPE_CHECKING:
    from cheesebox.simple.names import ProjectName

_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE | re.ASCII)
_CODECS = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "us-ascii": "utf-8-sig",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "windows-1252": "cp1252",
}
_DIGEST = re.compile(r"(md5|sha1|sha224|sha256|sha384|sha512|blake2b)=([0-9a-f]+)", re.IGNORECASE)
_METADATA_ATTRIBUTES = ("data-core-metadata", "data-dist-info-metadata")


@dataclass(slots=True)
class _Anchor:
    """An ``<a>`` element: its attributes, unescaped once, and its text."""

    attributes: dict[str, str]
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces).strip()


@dataclass(slots=True)
class _Markup:
    """What matters of an HTML document."""

    base: str | None = None
    metas: dict[str, str] = field(default_factory=dict)
    anchors: list[_Anchor] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects the markup; knows nothing of its meaning."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.markup = _Markup()
        self.tags = 0
        self._anchor: _Anchor | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags += 1
        # The first of two attributes with one name stands, as in browsers.
        attributes = {name: value or "" for name, value in reversed(attrs)}
        if tag == "a":
            self._anchor = _Anchor(attributes)
            self.markup.anchors.append(self._anchor)
        elif tag == "meta" and "name" in attributes:
            self.markup.metas.setdefault(attributes["name"].lower(), attributes.get("content", ""))
        elif tag == "base" and self.markup.base is None:
            self.markup.base = attributes.get("href")

    def handle_data(self, data: str) -> None:
        if self._anchor is not None:
            self._anchor.pieces.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._anchor = None


def read_html_page(body: bytes, content_type: str, url: str, name: ProjectName) -> ProjectPage:
    """Read a project page that came from ``url``; raises `UnreadablePage`."""
    markup = _parse(body, content_type)
    base = _base_url(markup, url)
    document: dict[str, Any] = {"meta": {"api-version": BASE_VERSION}, "name": name}
    if status := markup.metas.get("pypi:project-status"):
        reason = markup.metas.get("pypi:project-status-reason")
        document["project-status"] = {"status": status} | ({"reason": reason} if reason else {})
    files = tuple(file for anchor in markup.anchors if (file := _file(anchor, base)))
    return ProjectPage(name, document, files, files_position=len(document))


def read_html_list(body: bytes, content_type: str, url: str) -> ProjectList:
    """Read the list of projects that came from ``url``; raises `UnreadablePage`."""
    markup = _parse(body, content_type)
    base = _base_url(markup, url)
    names = tuple(name for anchor in markup.anchors if (name := _listed_name(anchor, base)))
    projects = msgspec.json.encode([{"name": name} for name in names])
    document = {"meta": {"api-version": BASE_VERSION}}
    return ProjectList(document, names, projects, projects_position=len(document))


def _parse(body: bytes, content_type: str) -> _Markup:
    reader = _Reader()
    try:
        reader.feed(_decode(body, content_type))
        reader.close()
    except AssertionError as error:
        # The parser asserts its way out of declarations that it does not know, such as "<![x".
        raise UnreadablePage(f"The page is not HTML: {error}") from error
    if not reader.tags:
        raise UnreadablePage("The page is labelled as HTML and has no element")
    check_api_version(reader.markup.metas.get("pypi:repository-version", BASE_VERSION))
    return reader.markup


def _decode(body: bytes, content_type: str) -> str:
    label = _CHARSET.search(content_type)
    charset = label[1].lower() if label else "utf-8"
    if charset not in _CODECS:
        raise UnreadablePage(f"The page is written in {charset[:40]!r}, which no index uses")
    try:
        return body.decode(_CODECS[charset])
    except UnicodeDecodeError as error:
        raise UnreadablePage(f"The page is not written in {charset}: {error}") from error


def _base_url(markup: _Markup, url: str) -> str:
    link = resolve_link(markup.base, url) if markup.base else None
    return link[0] if link else url


def _last_segment(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


def _file(anchor: _Anchor, base: str) -> DistributionFile | None:
    """Read one link; ``None`` for a link that leads out of the web or to a folder."""
    attributes = anchor.attributes
    reference = attributes.get("href", "").strip()
    link = resolve_link(reference, base) if reference else None
    if link is None or not (filename := _last_segment(link[0])):
        return None
    raw = {
        "filename": filename,
        "url": reference.partition("#")[0],
        "hashes": {name.lower(): digest.lower() for name, digest in _DIGEST.findall(link[1])},
    }
    return DistributionFile(raw | _optional(attributes), link[0])


def _optional(attributes: dict[str, str]) -> dict[str, Any]:
    """Give the JSON keys for the attributes that are there and make sense."""
    values: dict[str, Any] = {
        "requires-python": attributes.get("data-requires-python"),
        "size": _integer(attributes.get("data-size", "")),
        "upload-time": attributes.get("data-upload-time"),
        "core-metadata": _core_metadata(attributes),
        "provenance": attributes.get("data-provenance"),
        "gpg-sig": {"true": True, "false": False}.get(attributes.get("data-gpg-sig", "")),
    }
    present = {key: value for key, value in values.items() if value is not None and value != ""}
    if "data-yanked" in attributes:
        present["yanked"] = attributes["data-yanked"] or True
    return present


def _integer(digits: str) -> int | None:
    return int(digits) if re.fullmatch(r"[0-9]{1,18}", digits) else None


def _core_metadata(attributes: dict[str, str]) -> bool | dict[str, str] | None:
    """Read the newer attribute, else the older one (PEP 714)."""
    for name in _METADATA_ATTRIBUTES:
        value = attributes.get(name, "")
        if value.lower() in {"true", "false"}:
            return value.lower() == "true"
        if digest := _DIGEST.fullmatch(value):
            return {digest[1].lower(): digest[2].lower()}
    return None


def _listed_name(anchor: _Anchor, base: str) -> str | None:
    """Give the text of a link if a project can be called so, else the last folder of its URL."""
    link = resolve_link(anchor.attributes.get("href", ""), base)
    folder = _last_segment(link[0].rstrip("/")) if link else ""
    for name in (anchor.text.rstrip("/"), folder):
        try:
            normalize(name)
        except InvalidName:
            continue
        return name
    return None
