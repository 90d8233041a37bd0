"""The upstream over HTTP, with aiohttp.

Bodies come as they are on the wire: a cache must neither decode a file nor hand on an encoded one.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import aiohttp
from yarl import URL

from cheesebox.errors import UpstreamBroken, UpstreamTimeout, UpstreamUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

_READ_SIZE = 256 * 1024
_MAX_REDIRECTS = 10


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach the upstream; times in seconds."""

    user_agent: str
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    max_connections: int = 100
    proxy: str | None = None
    ca_bundle: Path | None = None


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
        raise UpstreamBroken(f"{_origin(url)} sent a broken answer: {error!r}") from error


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
        with _translated(self.url):
            async for chunk in self._response.content.iter_any():
                yield chunk


class HttpUpstream:
    """Keeps the connections. Use as an async context manager."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        c = self._connection
        context = ssl.create_default_context(cafile=str(c.ca_bundle) if c.ca_bundle else None)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=c.max_connections, ssl=context, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=c.connect_timeout, sock_read=c.read_timeout
            ),
            headers={"User-Agent": c.user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_READ_SIZE,
            trust_env=c.proxy is None,
            proxy=c.proxy,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # let the transports of the closed session end in this loop

    @asynccontextmanager
    async def request(self, method: str, url: str, headers: Mapping[str, str]) -> AsyncIterator[HttpAnswer]:
        """Send a request, follow its redirects, give the answer whatever its status."""
        if self._session is None:
            raise UpstreamUnreachable("the upstream client is not open")
        with _translated(url):
            response = await self._session.request(
                method,
                URL(url, encoded=True),  # as the index wrote it: no re-quoting of "+" or "%2B"
                headers=headers,
                max_redirects=_MAX_REDIRECTS,
                skip_auto_headers=("Accept-Encoding",),
            )
        try:
            yield HttpAnswer(response)
        finally:
            # A body read to its end gives its connection back; one that was left is cut.
            if response.content.at_eof():
                response.release()
            else:
                response.close()
