"""TLS with a certificate that may be renewed while the server runs.

Rules of this module:
1. A pair of certificate and key is tried in a context of its own. Only one that fits takes the place of
   the one in use; new connections get it, those that are open keep theirs.
2. Files are compared by what the file system tells of them, links followed: renewals replace files, swap
   links, or write in place, and may be seen between the certificate and the key.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING

from cheesebox.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from cheesebox.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY = 3.0
"""Seconds between two looks at the files."""

_Stamp = tuple[tuple[int, int, int, int], ...]


class Certificates:
    """The pair in use. ``context`` is for the listening server; it stays the same."""

    def __init__(self, cert: Path, key: Path, password: str | None = None) -> None:
        """Read the pair; raises `SettingsError` if it is none."""
        self._files = (cert, key)
        self._password = password or ""  # with None a key that has one would ask on the terminal
        self._seen = self._stamp()
        try:
            self._current = self._load()
        except (OSError, ValueError) as error:
            raise SettingsError(f"tls_cert {cert}, tls_key {key}: {_words(error)}") from error
        self.context = self._current
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Give a new connection the pair in use (it is asked whether or not the client sends a name)."""
        connection.context = self._current

    async def watch(self) -> None:
        """Look for another pair, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Take over another pair if there is one that fits; blocks."""
        cert, key = self._files
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._current = self._load()
        except (OSError, ValueError) as error:
            log.error("TLS: kept the former certificate: %s, %s: %s", cert, key, _words(error))
        else:
            log.info("TLS: took over %s and %s", cert, key)

    def _stamp(self) -> _Stamp | None:
        """Tell one state of the files from another; None while one of them cannot be looked at."""
        try:
            states = [path.stat() for path in self._files]
        except OSError:
            return None
        return tuple((s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in states)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(*self._files, password=self._password)
        return context


def certificates_of(settings: Settings) -> Certificates | None:
    """Read the pair that is set, if one is; raises `SettingsError`."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificates(settings.tls_cert, settings.tls_key, settings.tls_key_password)


def _words(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"no certificate and its key, in PEM ({error.reason or error})"
    return getattr(error, "strerror", None) or str(error)
