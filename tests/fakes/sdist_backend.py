"""A whole build backend (PEP 517) in one file: it travels inside the source distributions of the double."""

import base64
import hashlib
import zipfile
from pathlib import Path
from typing import Any


def _name_and_version() -> tuple[str, str]:
    lines = Path("PKG-INFO").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    return fields["Name"].replace("-", "_").lower(), fields["Version"]


def _record_line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: Any = None) -> str:  # noqa: ARG001 - the names are PEP 517's
    """Build the pure wheel of the one package beside this file."""
    name, version = _name_and_version()
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}/__init__.py": Path(name, "__init__.py").read_bytes(),
        f"{info}/METADATA": Path("PKG-INFO").read_bytes(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: double\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [_record_line(member, data) for member, data in members.items()] + [f"{info}/RECORD,,"]
    members[f"{info}/RECORD"] = "\n".join([*record, ""]).encode()
    filename = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, filename), "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return filename


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """Refuse: the double only serves what is already packed."""
    raise NotImplementedError("this tree is already a source distribution")
