"""Core metadata for a wheel that has none: invalid on purpose.

It names the release, as installers compare that first, and has a requirement that no parser accepts
(PEP 508). pip tells it in its message, and like uv it goes on with another version.
"""

from __future__ import annotations

from cheesebox.simple.names import project_of, version_of

_REASON = "this wheel has no core metadata that can be read"


def invalid_metadata(filename: str) -> bytes:
    """Write the metadata of a wheel, as UTF-8."""
    lines = (
        "Metadata-Version: 2.1",
        f"Name: {project_of(filename) or 'unknown'}",
        f"Version: {version_of(filename) or 0}",
        f"Requires-Dist: {_REASON}",
    )
    return ("\n".join(lines) + "\n").encode()
