"""Certificates of authorities that nobody knows yet."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


class Pair:
    """A certificate and its key in two files, by authorities of its own."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        self.authority = folder / "ca.pem"
        self.renew()

    def renew(self) -> None:
        """Put another pair there, by another authority."""
        ca = trustme.CA()
        issued = ca.issue_cert("127.0.0.1", "localhost")
        ca.cert_pem.write_to_path(str(self.authority))
        issued.private_key_pem.write_to_path(str(self.key))
        self.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))

    @property
    def options(self) -> tuple[str, ...]:
        return ("--tls-cert", str(self.cert), "--tls-key", str(self.key))

    def connect(self, port: int, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """Connect as one who trusts the newest authority; raises `ssl.SSLError`."""
        if context is None:
            context = ssl.create_default_context(cafile=str(self.authority))
            context.set_alpn_protocols(["h2", "http/1.1"])
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    def is_served(self, port: int) -> bool:
        """Tell whether new connections get the newest certificate."""
        try:
            self.connect(port).close()
        except ssl.SSLCertVerificationError:
            return False
        return True
