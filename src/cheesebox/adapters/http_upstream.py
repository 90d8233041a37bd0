"""The upstream over HTTP, with aiohttp.

Bodies come as they are on the wire: a cache must neither decode a file nor hand on an encoded one.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
from yarl import URL

from cheesebox.errors import SettingsError, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from cheesebox.adapters.credentials import Credentials

log = logging.getLogger(__name__)

_READ_SIZE = 256 * 1024
_MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach the upstream; times in seconds."""

    user_agent: str
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    max_connections: int = 100
    proxy: str | None = None
    ca_bundle: Path | None = None
    is_direct: bool = False
    """Whether proxies that the environment names do not count."""


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Turn foreign exceptions into the domain's. The order matters: timeouts are also OSErrors."""
    try:
        yield
    except (TimeoutError, aiohttp.ServerTimeoutError) as error:
        raise UpstreamTimeout(f"{_origin(url)} did not answer in time") from error
    except aiohttp.ClientConnectorError as error:
        raise UpstreamUnreachable(f"cannot reach {_origin(url)}: {error}") from error
    except (aiohttp.TooManyRedirects, aiohttp.InvalidURL) as error:
        raise UpstreamBroken(f"{_origin(url)} redirects astray: {type(error).__name__}") from error
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, OSError) as error:
        raise UpstreamUnreachable(f"{_origin(url)} cut the connection: {error}") from error
    except aiohttp.ClientError as error:
        # Not its repr: that has the request's header fields, and so the credentials.
        raise UpstreamBroken(f"{_origin(url)} sent a broken answer: {type(error).__name__}") from error


def _origin(url: str) -> str:
    """Shorten a URL to what a message may show: no query, no credentials."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


class HttpAnswer:
    """One answer, alive inside ``HttpUpstream.request``."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.url = str(response.url)
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body in the pieces in which it arrives."""
        content = self._response.content
        with _translated(self.url):
            if "transfer-encoding" in self.headers:  # its pieces are the sender's, and may be tiny
                async for chunk in content.iter_any():
                    yield chunk
                return
            # What has gathered is not joined: that would copy most of a body once more.
            async for chunk, _ in content.iter_chunks():
                yield chunk


class HttpUpstream:
    """Keeps the connections of one index, or of all that need no credentials.

    Use as an async context manager. Redirects are followed here, one by one, so that each host gets
    what is meant for it alone.
    """

    def __init__(self, connection: Connection, credentials: Credentials | None = None) -> None:
        self._connection = connection
        self._credentials = credentials
        self._proving: ssl.SSLContext | None = None
        self._proxies: dict[str, str] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        c = self._connection
        context = self._context()
        if self._credentials is not None:
            proving = self._context()
            self._proving = proving if self._credentials.prove_in(proving) else None
        self._proxies = getproxies_environment() if c.proxy is None and not c.is_direct else {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=c.max_connections, ssl=context, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=c.connect_timeout, sock_read=c.read_timeout
            ),
            headers={"User-Agent": c.user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_READ_SIZE,
            # Not from the environment: that would send what netrc has to every host that is asked.
            trust_env=False,
            proxy=c.proxy,
        )
        return self

    def _context(self) -> ssl.SSLContext:
        bundle = self._connection.ca_bundle
        return ssl.create_default_context(cafile=str(bundle) if bundle else None)

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # let the transports of the closed session end in this loop

    @asynccontextmanager
    async def request(self, method: str, url: str, headers: Mapping[str, str]) -> AsyncIterator[HttpAnswer]:
        """Send a request, follow its redirects, give the answer whatever its status."""
        with _translated(url):
            response = await self._follow(method, url, headers)
        try:
            yield HttpAnswer(response)
        finally:
            # A body read to its end gives its connection back; one that was left is cut.
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _follow(self, method: str, url: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        target = URL(url, encoded=True)  # as the index wrote it: no re-quoting of "+" or "%2B"
        for _ in range(_MAX_REDIRECTS):
            response = await self._send_proving(method, target, headers)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            response.release()
            target = _resolved(target, location)
        raise UpstreamBroken(f"{_origin(url)} redirects astray")

    async def _send_proving(
        self, method: str, target: URL, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """Send with what proves who asks; once more when that was refused and has changed meanwhile."""
        response = await self._send(method, target, headers)
        credentials = self._credentials
        if credentials is None or not credentials.belongs_to(str(target)):
            return response
        if response.status == _UNAUTHORIZED:
            try:
                has_changed = await asyncio.to_thread(credentials.reload)
            except SettingsError as error:
                log.error("credentials cannot be read again: %s", error)
                return response
            if has_changed:
                response.release()
                return await self._send(method, target, headers)
        return response

    async def _send(self, method: str, target: URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        if self._session is None:
            raise UpstreamUnreachable("the upstream client is not open")
        secure: ssl.SSLContext | bool = True
        if self._credentials is not None:
            authorization = self._credentials.authorization(str(target))
            if authorization is not None:
                headers = {**headers, "Authorization": authorization}
                target = target.with_user(None)
            if self._proving is not None and self._credentials.belongs_to(str(target)):
                secure = self._proving
        return await self._session.request(
            method,
            target,
            headers=headers,
            allow_redirects=False,
            skip_auto_headers=("Accept-Encoding",),
            ssl=secure,
            proxy=self._proxy_for(target),
        )

    def _proxy_for(self, target: URL) -> str | None:
        proxy = self._proxies.get(target.scheme)
        if proxy is None or proxy_bypass(target.authority):
            return self._connection.proxy
        return proxy


def _resolved(target: URL, location: str) -> URL:
    try:
        found = target.join(URL(location, encoded=True))
    except ValueError as error:
        raise UpstreamBroken(f"{_origin(str(target))} redirects astray") from error
    if found.scheme not in ("http", "https") or not found.host:
        raise UpstreamBroken(f"{_origin(str(target))} redirects astray")
    return found
