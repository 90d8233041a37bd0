"""Credentials of one index: where they come from, and which hosts get them.

They go to the hosts of the index's own upstreams and to those that the settings name, never to another
one that a page or a redirect leads to, and never over a plain connection where the upstream has a
secure one. They stand in no URL that is asked, stored, logged or shown.
"""

from __future__ import annotations

import base64
import importlib
import netrc
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from cheesebox.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PORTS = {"http": 80, "https": 443}


class WebOrigin(NamedTuple):
    """Scheme, host and port of a URL (RFC 6454)."""

    scheme: str
    host: str
    port: int


def web_origin(url: str) -> WebOrigin:
    """Give the origin of an http(s) URL."""
    parts = urlsplit(url)
    return WebOrigin(parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0))


def without_userinfo(url: str) -> str:
    """Give a URL without user name and password."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialSources:
    """Where the credentials of one index may come from; secrets are not shown."""

    upstreams: tuple[str, ...] = field(repr=False)
    hosts: tuple[str, ...] = ()
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    netrc: bool = False
    keyring: bool = False
    client_cert: Path | None = None
    client_key: Path | None = None

    @property
    def has_any(self) -> bool:
        """Tell whether there are credentials at all."""
        given = (self.username, self.password, self.password_file, self.token, self.token_file)
        in_urls = any("@" in urlsplit(url).netloc for url in self.upstreams)
        return any((*given, self.netrc, self.keyring, self.client_cert, in_urls))


class Credentials:
    """The credentials of one index. Building and reloading block; both raise `SettingsError`."""

    def __init__(self, sources: CredentialSources) -> None:
        self._sources = sources
        self._authorizations = _authorizations(sources)
        self._origins = frozenset(_origins(sources))

    def authorization(self, url: str) -> str | None:
        """Give the ``Authorization`` field for a URL, None for a host that must not have it."""
        return self._authorizations.get(web_origin(url))

    def belongs_to(self, url: str) -> bool:
        """Tell whether a URL is of a host that gets the credentials."""
        return web_origin(url) in self._origins

    def reload(self) -> bool:
        """Read files, netrc and keyring again: secrets are rotated. Gives whether anything changed."""
        before, self._authorizations = self._authorizations, _authorizations(self._sources)
        return before != self._authorizations

    def prove_in(self, context: ssl.SSLContext) -> bool:
        """Load the client certificate into a TLS context; False when there is none."""
        cert, key = self._sources.client_cert, self._sources.client_key
        if cert is None:
            return False
        try:
            context.load_cert_chain(cert, key, password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"client_cert {cert}: no usable certificate with its key") from error
        return True


def _origins(sources: CredentialSources) -> Sequence[WebOrigin]:
    own = [web_origin(upstream) for upstream in sources.upstreams]
    return [*own, *(_further(host, own[0].scheme) for host in sources.hosts)]


def _further(host: str, scheme: str) -> WebOrigin:
    try:
        origin = web_origin(f"{scheme}://{host}")
    except ValueError as error:
        raise SettingsError(f"credential_hosts: {host!r} is no host or host:port") from error
    if not origin.host or set(host) & set("/@?#"):
        raise SettingsError(f"credential_hosts: {host!r} is no host or host:port")
    return origin


def _authorizations(sources: CredentialSources) -> Mapping[WebOrigin, str]:
    found = {}
    for upstream in sources.upstreams:
        if (authorization := _authorization(sources, upstream)) is not None:
            found[web_origin(upstream)] = authorization
    first = found.get(web_origin(sources.upstreams[0]))
    for origin in _origins(sources)[len(sources.upstreams) :]:
        if first is not None:
            found.setdefault(origin, first)
    return found


def _authorization(sources: CredentialSources, upstream: str) -> str | None:
    token = sources.token or _first_line(sources.token_file, "token_file")
    if token:
        return f"Bearer {_plain(token, 'token')}"
    parts = urlsplit(upstream)
    if parts.username is not None:
        return _basic(unquote(parts.username), unquote(parts.password or ""))
    password = sources.password or _first_line(sources.password_file, "password_file")
    if sources.username is not None and password is not None:
        return _basic(sources.username, password)
    if sources.netrc and (known := _from_netrc(parts.hostname or "")) is not None:
        return _basic(*known)
    if sources.keyring:
        return _basic(*_from_keyring(without_userinfo(upstream), sources.username))
    if sources.username is not None:
        raise SettingsError("username: there is no password; set password_file, password or keyring")
    if password is not None:
        raise SettingsError("password: there is no username")
    return None


def _basic(username: str, password: str) -> str:
    if ":" in username:
        raise SettingsError("username: a colon cannot be sent in it (RFC 7617)")
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _plain(token: str, name: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(f"{name}: letters, digits and signs of one line are allowed")
    return token


def _first_line(path: Path | None, name: str) -> str | None:
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name} {path}: cannot be read") from error
    if not lines or not lines[0].strip():
        raise SettingsError(f"{name} {path}: is empty")
    return lines[0].strip()


def _from_netrc(host: str) -> tuple[str, str] | None:
    path = Path(os.environ.get("NETRC") or Path("~/.netrc").expanduser())
    try:
        known = netrc.netrc(path).authenticators(host)
    except (OSError, netrc.NetrcParseError) as error:
        raise SettingsError(f"netrc: {path} cannot be read") from error
    return None if known is None else (known[0], known[2] or "")


def _from_keyring(upstream: str, username: str | None) -> tuple[str, str]:
    """Ask as pip does: first for the URL, then for its host."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError as error:
        raise SettingsError("keyring: it is not installed; pip install 'cheesebox[keyring]'") from error
    for service in (upstream, urlsplit(upstream).netloc):
        known = keyring.get_credential(service, username)
        if known is not None:
            return known.username, known.password
    raise SettingsError(f"keyring: it has no password for {upstream}")
