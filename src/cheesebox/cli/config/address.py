"""The address of an index as its clients write it; pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cheesebox.errors import SettingsError

if TYPE_CHECKING:
    from cheesebox.settings import IndexSettings, Settings

_SIMPLE = "/simple"
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9._~@:\[\]%/-]+", re.ASCII)
_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Address:
    """Where clients find an index: the URL of its mount, without a slash at the end."""

    mount_url: str

    @property
    def simple_url(self) -> str:
        """The root of the Simple API, with a slash at the end."""
        return f"{self.mount_url}{_SIMPLE}/"

    @property
    def host(self) -> str:
        """The host's name or IP address."""
        return urlsplit(self.mount_url).hostname or ""

    @property
    def path(self) -> str:
        """The path of the mount, without a slash at the end."""
        return urlsplit(self.mount_url).path

    @property
    def is_loopback(self) -> bool:
        """Tell whether the address leads every machine to itself."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")

    @property
    def trusted_host(self) -> str | None:
        """The host that pip has to be told to trust: one over plain HTTP that is not this machine."""
        parts = urlsplit(self.mount_url)
        if parts.scheme == "https" or self.is_loopback:
            return None
        return parts.netloc.rpartition("@")[2]


def parse_address(url: str) -> Address:
    """Read the URL of a mount, or of the Simple API below it; raises `SettingsError`."""
    if not _PLAIN_URL.fullmatch(url) or not urlsplit(url).hostname:
        raise SettingsError(f"--url {url!r}: give an http or https URL such as https://pypi.example/pypi/")
    return Address(url.rstrip("/").removesuffix(_SIMPLE))


def address_of(settings: Settings, index: IndexSettings) -> Address:
    """Give the address of an index: its public URL, else where the server listens."""
    if index.public_url:
        return Address(index.public_url.rstrip("/"))
    if not settings.port:
        raise SettingsError("port = 0 picks a free port at each start: say with --url where the index is")
    return Address(f"{root_url(settings)}{index.mount}")


def root_url(settings: Settings) -> str:
    """Give the URL by which this machine reaches the server, without a slash at the end."""
    return f"{scheme(settings)}://{listening(settings)}"


def scheme(settings: Settings) -> str:
    """Give the scheme that the server itself speaks."""
    return "https" if settings.tls_cert else "http"


def listening(settings: Settings) -> str:
    """Give host and port by which this machine reaches the server."""
    host = _THIS_MACHINE.get(settings.host, settings.host)
    return f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"
