"""Real pages and wheels, fetched once from the public index and replayed from loopback ever after.

The index is the one that uv uses when it is told nothing; its address is read from the lock file that uv
writes.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
import tomllib
import urllib.request
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.tags import sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from bench.clients import uv_command, uv_environment
from bench.paths import RECORDING

if TYPE_CHECKING:
    from pathlib import Path

REQUIREMENTS = (
    "jupyterlab",
    "pandas",
    "matplotlib",
    "fastapi[standard]",
    "scikit-learn",
    "sqlalchemy",
    "celery",
    "django",
)
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
PAUSE = 0.05  # seconds between two requests to the public index


@dataclass(frozen=True, slots=True)
class RecordedWheel:
    """A wheel on disk: `path` is the URL path under the file host, `metadata` its METADATA as in PEP 658."""

    name: str
    version: str
    path: str
    body: Path
    metadata: Path


@dataclass(frozen=True, slots=True)
class Recording:
    """What uv needs to resolve and install REQUIREMENTS, as the public index gave it."""

    root: Path
    pages: dict[str, Path]
    wheels: dict[str, RecordedWheel]

    @property
    def requirements(self) -> Path:
        return self.root / "requirements.in"

    @property
    def pinned(self) -> Path:
        return self.root / "pinned.txt"


def load(root: Path = RECORDING) -> Recording | None:
    """Return the recording, or None when there is none (or an unfinished one)."""
    listing = root / "recording.json"
    if not listing.exists():
        return None
    data = json.loads(listing.read_text())
    pages = {name: root / "pages" / f"{name}.json" for name in data["pages"]}
    wheels = {
        item["path"]: RecordedWheel(
            item["name"],
            item["version"],
            item["path"],
            root / "wheels" / item["file"],
            root / "wheels" / f"{item['file']}.metadata",
        )
        for item in data["wheels"]
    }
    return Recording(root, pages, wheels)


def record(root: Path = RECORDING) -> Recording:
    """Fetch what is missing from the public index, one request at a time, and return the recording."""
    (root / "pages").mkdir(parents=True, exist_ok=True)
    (root / "wheels").mkdir(exist_ok=True)
    (root / "requirements.in").write_text("\n".join(REQUIREMENTS) + "\n")
    packages = _lock(root)["packages"]
    index = _index(root)
    wheels = [_record_package(root, index, package) for package in packages]
    pinned = {wheel["name"]: wheel["version"] for wheel in wheels}
    (root / "pinned.txt").write_text("".join(f"{item['name']}=={item['version']}\n" for item in wheels))
    wheels += [_record_tried(root, *tried) for tried in _tried(root, pinned)]
    listing = {"pages": [package["name"] for package in packages], "wheels": wheels}
    (root / "recording.json").write_text(json.dumps(listing, indent=1))
    recording = load(root)
    assert recording is not None
    return recording


def _lock(root: Path) -> dict[str, Any]:
    target = root / "pylock.toml"
    if not target.exists():
        _compile(root, target, "--format", "pylock.toml")
    return tomllib.loads(target.read_text())


def _index(root: Path) -> str:
    """Return the address of the index that uv used; the lock file does not tell, an annotation does."""
    target = root / "annotated.txt"
    if not target.exists():
        _compile(root, target, "--emit-index-annotation")
    found = re.search(r"# from (\S+)", target.read_text())
    if found is None:
        raise SystemExit(f"{target}: uv named no index")
    return found[1].rstrip("/")


def _compile(root: Path, target: Path, *options: str) -> None:
    command = [
        *uv_command(),
        "pip",
        "compile",
        "--no-config",
        "--only-binary",
        ":all:",
        "--python",
        sys.executable,
    ]
    command += ["--cache-dir", str(root / "uv-cache"), "-q", "-o", str(target), *options]
    subprocess.run([*command, str(root / "requirements.in")], check=True, env=uv_environment())


def _record_package(root: Path, index: str, package: dict[str, Any]) -> dict[str, str]:
    name = canonicalize_name(package["name"])
    page = root / "pages" / f"{name}.json"
    if not page.exists():
        _fetch(f"{index}/{name}/", page, accept=JSON_TYPE)
    wheel = _best_wheel(package["wheels"])
    return _record_wheel(root, name, package["version"], wheel)


def _tried(root: Path, pinned: dict[str, str]) -> list[tuple[str, str]]:
    """Return name and version of the wheels that uv looked into and then left, as its cache tells."""
    seen = {
        (path.parent.name, path.stem.split("-")[0]) for path in root.glob("uv-cache/wheels-*/*/*/*.msgpack")
    }
    return sorted((name, version) for name, version in seen if pinned.get(name, version) != version)


def _record_tried(root: Path, name: str, version: str) -> dict[str, str]:
    entries = json.loads((root / "pages" / f"{name}.json").read_bytes())["files"]
    wheels = [entry for entry in entries if entry["filename"].endswith(".whl")]
    fitting = [wheel for wheel in wheels if str(parse_wheel_filename(wheel["filename"])[1]) == version]
    return _record_wheel(root, name, version, _best_wheel(fitting))


def _record_wheel(root: Path, name: str, version: str, wheel: dict[str, Any]) -> dict[str, str]:
    filename = wheel["url"].rsplit("/", 1)[1]
    body = root / "wheels" / filename
    if not body.exists():
        _fetch(wheel["url"], body, sha256=wheel["hashes"]["sha256"])
    metadata = root / "wheels" / f"{filename}.metadata"
    if not metadata.exists():
        metadata.write_bytes(_metadata_of(body))
    path = urlsplit(wheel["url"]).path
    return {"name": name, "version": version, "path": path, "file": filename}


def _best_wheel(wheels: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the wheel that an installer on this interpreter prefers."""
    order = {tag: rank for rank, tag in enumerate(sys_tags())}

    def rank(wheel: dict[str, Any]) -> int:
        tags = parse_wheel_filename(wheel["url"].rsplit("/", 1)[1])[3]
        return min((order.get(tag, len(order)) for tag in tags), default=len(order))

    best = min(wheels, key=rank)
    if rank(best) == len(order):
        raise SystemExit(f"no wheel for this interpreter: {wheels[0]['url']}")
    return best


def _metadata_of(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        name = next(
            item
            for item in archive.namelist()
            if item.endswith(".dist-info/METADATA") and item.count("/") == 1
        )
        content = archive.read(name)
    assert HeaderParser().parsestr(content.decode("utf-8", "replace"))["Name"]
    return content


def _fetch(url: str, target: Path, *, accept: str = "*/*", sha256: str | None = None) -> None:
    request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "cheesebox-bench"})
    with urllib.request.urlopen(request, timeout=60) as response:
        body = response.read()
    if sha256 is not None and hashlib.sha256(body).hexdigest() != sha256:
        raise SystemExit(f"{url}: the digest is not the one the index gave")
    part = target.with_name(target.name + ".part")
    part.write_bytes(body)
    part.rename(target)
    time.sleep(PAUSE)


if __name__ == "__main__":
    done = record()
    print(f"{len(done.pages)} pages, {len(done.wheels)} wheels in {done.root}")
