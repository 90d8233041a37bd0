"""The media type of a file by its name; what the machine's own tables say does not count."""

from __future__ import annotations

import mimetypes

OCTETS = "application/octet-stream"
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_FURTHER = {
    ".md": "text/markdown",
    ".toml": "application/toml",
    ".whl": "application/zip",
    ".log": "text/plain",
}


class ContentTypes:
    """Python's own table, with a few that it lacks."""

    def __init__(self) -> None:
        self._types = mimetypes.MimeTypes()
        for suffix, media_type in _FURTHER.items():
            self._types.add_type(media_type, suffix)

    def of(self, name: bytes) -> str:
        """Give the ``Content-Type``; text is taken for UTF-8.

        A compressed file is what it is: ``x.tar.gz`` is stored as gzip, not sent so (RFC 9110 §8.4.1).
        """
        media_type, compression = self._types.guess_type(name.decode("utf-8", "replace").replace("/", ""))
        if compression is not None:
            return _COMPRESSED.get(compression, OCTETS)
        if media_type is None:
            return OCTETS
        return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
