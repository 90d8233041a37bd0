"""The pages that the double serves, rendered from its projects as PyPI renders them."""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"
TEXT_TYPE = "text/html"
_LATEST = {
    "application/vnd.pypi.simple.latest+json": JSON_TYPE,
    "application/vnd.pypi.simple.latest+html": HTML_TYPE,
}


def normalized(name: str) -> str:
    """Return the normalised project name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True)  # no slots: the digests of a large content are worth keeping
class FakeFile:
    """One distribution file: ``path`` on the double's file host, ``upload_time`` as ISO 8601 with Z."""

    project: str
    version: str
    filename: str
    content: bytes = field(repr=False)
    path: str
    url: str
    metadata: bytes | None = field(default=None, repr=False)
    upload_time: str | None = None
    yanked: bool | str = False
    requires_python: str | None = None
    provenance: dict[str, Any] | None = None

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.content)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def blake2(self) -> str:
        """BLAKE2b-256 of the content, in hex."""
        return blake2(self.content)

    @cached_property
    def etag(self) -> str:
        """The file host's validator, with its quotes."""
        return strong_etag(self.content)

    @property
    def metadata_path(self) -> str:
        """Where the core metadata lie (PEP 658)."""
        return f"{self.path}.metadata"


def strong_etag(content: bytes) -> str:
    """Return an entity tag as the file host makes them."""
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def blake2(content: bytes) -> str:
    """BLAKE2b-256 in hex."""
    return hashlib.blake2b(content, digest_size=32).hexdigest()


def file_path(content: bytes, filename: str) -> str:
    """Where PyPI's file host keeps these bytes: the digest cut 2/2/60."""
    digest = blake2(content)
    return f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{quote(filename)}"


@dataclass(slots=True)
class Project:
    """What the index knows of one project."""

    name: str
    serial: int
    files: list[FakeFile] = field(default_factory=list)
    status: str = "active"
    reason: str | None = None

    @property
    def listed(self) -> list[FakeFile]:
        """The files that the page offers: none of a quarantined project (PEP 792)."""
        return [] if self.status == "quarantined" else self.files


def choose_type(accept: str, query: str) -> str:
    """Pick the content type of a page as PyPI does (PEP 691): never 406, ``text/html`` when in doubt."""
    asked = re.search(r"(?:^|&)format=([^&]*)", query)
    if asked:
        wanted = asked.group(1).replace("%2B", "+").replace("%2F", "/")
        wanted = _LATEST.get(wanted, wanted)
        if wanted in (JSON_TYPE, HTML_TYPE, TEXT_TYPE):
            return wanted
    weights = _weights(accept)
    candidates = [kind for kind in (JSON_TYPE, HTML_TYPE, TEXT_TYPE) if weights.get(kind, 0) > 0]
    return max(candidates, key=lambda kind: weights[kind], default=TEXT_TYPE)


def _weights(accept: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for entry in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        q = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weights[_LATEST.get(kind, kind)] = float(q)
    return weights


def canonical_json(value: Any) -> bytes:
    """Sorted and compact with a line end, as Warehouse writes JSON."""
    return (json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def project_json(project: Project, serial: int, base: str) -> bytes:
    """Render the JSON project page (PEP 691, 700, 740, 792)."""
    return canonical_json(
        {
            "meta": {"api-version": "1.4", "_last-serial": serial},
            "name": normalized(project.name),
            "versions": sorted({file.version for file in project.listed}),
            "project-status": _status(project),
            "files": [_file_entry(file, base) for file in project.listed],
        }
    )


def _status(project: Project) -> dict[str, str]:
    return {"status": project.status, **({"reason": project.reason} if project.reason else {})}


def _file_entry(file: FakeFile, base: str) -> dict[str, Any]:
    core = {"sha256": hashlib.sha256(file.metadata).hexdigest()} if file.metadata is not None else False
    return {
        "filename": file.filename,
        "url": file.url,
        "hashes": {"sha256": file.sha256},
        "requires-python": file.requires_python,
        "size": file.size,
        "yanked": file.yanked,
        "core-metadata": core,
        "data-dist-info-metadata": core,
        "provenance": base + provenance_path(file) if file.provenance is not None else None,
        **({"upload-time": file.upload_time} if file.upload_time else {}),
    }


def provenance_path(file: FakeFile) -> str:
    """Where the attestations of a file are (PEP 740)."""
    return f"/integrity/{normalized(file.project)}/{file.version}/{file.filename}/provenance"


def project_html(project: Project, serial: int, base: str) -> bytes:
    """Render the HTML project page (PEP 503, 592, 714, 740, 792)."""
    name = normalized(project.name)
    links = "\n".join(_anchor(file, base) for file in project.listed)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n  <head>\n'
        f'    <meta name="pypi:repository-version" content="1.4">\n'
        f'    <meta name="pypi:project-status" content="{project.status}">\n'
        f"    <title>Links for {name}</title>\n  </head>\n  <body>\n    <h1>Links for {name}</h1>\n"
        f"{links}\n  </body>\n</html>\n<!--SERIAL {serial}-->\n"
    ).encode()


def _anchor(file: FakeFile, base: str) -> str:
    attributes: dict[str, str] = {}
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if file.yanked is not False:
        attributes["data-yanked"] = "" if file.yanked is True else file.yanked
    if file.metadata is not None:
        core = f"sha256={hashlib.sha256(file.metadata).hexdigest()}"
        attributes |= {"data-dist-info-metadata": core, "data-core-metadata": core}
    if file.provenance is not None:
        attributes["data-provenance"] = base + provenance_path(file)
    written = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    return f'    <a href="{file.url}#sha256={file.sha256}"{written}>{file.filename}</a><br />'


def root_json(projects: list[Project], serial: int) -> bytes:
    """Render the JSON project list."""
    entries = [{"name": project.name, "_last-serial": project.serial} for project in projects]
    return canonical_json({"meta": {"api-version": "1.4", "_last-serial": serial}, "projects": entries})


def root_html(projects: list[Project], serial: int) -> bytes:
    """Render the HTML project list, with links from the root as PyPI writes them."""
    links = "\n".join(
        f'    <a href="/simple/{normalized(project.name)}/">{html.escape(project.name)}</a>'
        for project in projects
    )
    return (
        f'<!DOCTYPE html>\n<html>\n  <head>\n    <meta name="pypi:repository-version" content="1.4">\n'
        f"    <title>Simple index</title>\n  </head>\n  <body>\n{links}\n  </body>\n</html>\n"
        f"<!--SERIAL {serial}-->\n"
    ).encode()


def legacy_json(project: Project, version: str | None) -> bytes | None:
    """Render the legacy JSON API, of the whole project or one version; None: there is no such version."""
    versions = sorted({file.version for file in project.files})
    chosen = version or (versions[-1] if versions else "")
    files = {known: [_legacy_entry(f) for f in project.files if f.version == known] for known in versions}
    if chosen not in files:
        return None
    page: dict[str, Any] = {
        "info": {"name": project.name, "version": chosen, "yanked": False},
        "urls": files[chosen],
        "vulnerabilities": [],
        "last_serial": project.serial,
    }
    return canonical_json(page if version else {**page, "releases": files})


def _legacy_entry(file: FakeFile) -> dict[str, Any]:
    return {
        "filename": file.filename,
        "packagetype": "bdist_wheel" if file.filename.endswith(".whl") else "sdist",
        "digests": {"sha256": file.sha256, "blake2b_256": file.blake2},
        "size": file.size,
        "upload_time_iso_8601": file.upload_time,
        "url": file.url,
        "requires_python": file.requires_python,
        "yanked": bool(file.yanked),
        "yanked_reason": file.yanked if isinstance(file.yanked, str) else None,
    }
