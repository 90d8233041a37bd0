"""A client of one index of a cache: it asks for pages and files, and tells what was cached already."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from cheesebox.errors import CheeseboxError, NotFound, UpstreamError
from cheesebox.simple.reading import read_project_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cheesebox.simple.model import ProjectPage
    from cheesebox.simple.names import ProjectName

_JSON = "application/vnd.pypi.simple.v1+json"
_OK = 200
_NOT_FOUND = 404
_CHUNK = 1 << 18
_SILENCE = 300.0  # seconds; the cache gives its upstream up long before
_LONGEST_PROBLEM = 1 << 16


class NotKept(CheeseboxError):
    """The cache passed a file on without keeping it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is in the cache now; ``size`` counts the bytes that came, none if it was there."""

    was_cached: bool
    size: int


class CacheClient:
    """Speaks to one index. ``mount_url`` ends in a slash; a password in it is for its host alone."""

    def __init__(self, session: aiohttp.ClientSession, mount_url: str) -> None:
        url = URL(mount_url, encoded=True)
        self._session = session
        self._origin = url.origin()
        self._authorization = _authorization(url)
        self._mount_url = str(url.with_user(None))

    async def page(self, project: ProjectName) -> ProjectPage:
        """Give a project's page; raises `NotFound`, or `UpstreamError` when there is no answer of use."""
        async with self._get(f"{self._mount_url}simple/{project}/", _JSON) as response:
            body = await response.read()
            content_type = response.headers.get("content-type", "")
            return read_project_page(body, content_type, str(response.url), project)

    async def fetch(self, url: str) -> Fetched:
        """Have a file in the cache; raises `NotFound`, `UpstreamError` or `NotKept`.

        What is cached already is not read: its connection is given up instead.
        """
        async with self._get(url, "*/*") as response:
            status = response.headers.get("cache-status", "")
            if not status.startswith("cheesebox;"):
                raise NotKept(f"{response.url.host} is no cheesebox")
            if "; hit" in status:
                response.close()
                return Fetched(was_cached=True, size=0)
            size = 0
            async for chunk in response.content.iter_chunked(_CHUNK):
                size += len(chunk)
            if "; stored" not in status:
                raise NotKept("the cache does not keep it: it is too large, or there is no room")
            return Fetched(was_cached=False, size=size)

    @asynccontextmanager
    async def _get(self, url: str, accept: str) -> AsyncIterator[aiohttp.ClientResponse]:
        target = URL(url, encoded=True)
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        if target.origin() == self._origin:
            headers |= self._authorization
        try:
            async with self._session.get(target, headers=headers) as response:
                if response.status != _OK:
                    raise await _refusal(response)
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UpstreamError(f"{url}: {str(error) or type(error).__name__}") from error


@asynccontextmanager
async def cache_client(mount_url: str, jobs: int) -> AsyncIterator[CacheClient]:
    """Open a client that has at most ``jobs`` requests under way."""
    connector = aiohttp.TCPConnector(limit=jobs)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=_SILENCE)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        yield CacheClient(session, mount_url)


def _authorization(url: URL) -> dict[str, str]:
    if url.user is None:
        return {}
    given = base64.b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    return {"Authorization": f"Basic {given}"}


async def _refusal(response: aiohttp.ClientResponse) -> CheeseboxError:
    """Read what a problem document (RFC 9457) tells."""
    try:
        problem = json.loads(await response.content.read(_LONGEST_PROBLEM))
        told = str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        told = str(response.reason)
    kind = NotFound if response.status == _NOT_FOUND else UpstreamError
    return kind(f"{response.status} {told}")
