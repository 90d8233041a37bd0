"""Real distribution files, built in memory: the same arguments give the same bytes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import random
import re
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_EPOCH = (2020, 1, 1, 0, 0, 0)
_PYPROJECT = b'[build-system]\nrequires = []\nbuild-backend = "sdist_backend"\nbackend-path = ["."]\n'


@dataclass(frozen=True, slots=True)
class Release:
    """What the core metadata of a distribution say."""

    name: str
    version: str
    requires: tuple[str, ...] = ()
    requires_python: str | None = None

    @property
    def stem(self) -> str:
        """The name as file names carry it (PEP 427, PEP 625)."""
        return re.sub(r"[-_.]+", "_", self.name).lower()

    @property
    def package(self) -> bytes:
        """The source of the one module of the distribution."""
        return f'__version__ = "{self.version}"\n'.encode()

    def core_metadata(self) -> bytes:
        """The METADATA or PKG-INFO file."""
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        lines += [f"Requires-Python: {self.requires_python}"] if self.requires_python else []
        return "\n".join([*lines, "", ""]).encode()


def wheel_bytes(release: Release, tag: str, padding: int, extra_files: Mapping[str, bytes]) -> bytes:
    """Build a wheel that pip installs; ``padding`` bytes of incompressible data lie stored inside."""
    info = f"{release.stem}-{release.version}.dist-info"
    members = {f"{release.stem}/__init__.py": release.package, **extra_files}
    if padding:
        members[f"{release.stem}/padding.bin"] = incompressible(padding, seed=release.stem + release.version)
    members[f"{info}/METADATA"] = release.core_metadata()
    members[f"{info}/WHEEL"] = _wheel_file(tag)
    members[f"{info}/RECORD"] = _record(members, f"{info}/RECORD")
    return _zip(members)


def sdist_bytes(release: Release, padding: int) -> bytes:
    """Build a source distribution that brings its own build backend, so that a build needs no index."""
    root = f"{release.stem}-{release.version}"
    members = {
        f"{root}/PKG-INFO": release.core_metadata(),
        f"{root}/pyproject.toml": _PYPROJECT,
        f"{root}/sdist_backend.py": Path(__file__).with_name("sdist_backend.py").read_bytes(),
        f"{root}/{release.stem}/__init__.py": release.package,
    }
    if padding:
        members[f"{root}/padding.bin"] = incompressible(padding, seed=root)
    return _tar_gz(members.items())


def incompressible(size: int, *, seed: str) -> bytes:
    """Return ``size`` bytes that look random and are the same for the same seed."""
    return random.Random(seed).randbytes(size)


def _wheel_file(tag: str) -> bytes:
    return f"Wheel-Version: 1.0\nGenerator: double\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()


def _record(members: Mapping[str, bytes], own_name: str) -> bytes:
    lines = [f"{name},sha256={_record_digest(data)},{len(data)}" for name, data in members.items()]
    return "\n".join([*lines, f"{own_name},,", ""]).encode()


def _record_digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _zip(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return buffer.getvalue()


def _tar_gz(members: Iterable[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def metadata_in(wheel: bytes) -> bytes:
    """Give the core metadata that lies in a wheel, as `zipfile` reads it."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return archive.read(name)


def wheel_without_metadata() -> bytes:
    """Build an archive that no installer can use."""
    return _zip({"module.py": bytes(100_000)})
