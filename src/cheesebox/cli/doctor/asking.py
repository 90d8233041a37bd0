"""Facts about upstreams and about the configured address, gathered over the network."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from cheesebox.adapters.credentials import Credentials, without_userinfo
from cheesebox.adapters.http_upstream import HttpUpstream
from cheesebox.app import connection_of
from cheesebox.cli.doctor.upstreams import Answer, Step, Trouble, UpstreamFacts, possible_dates
from cheesebox.errors import CheeseboxError
from cheesebox.indexes import credential_sources
from cheesebox.setting_values import redacted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from cheesebox.settings import IndexSettings, Settings

_PROJECT = "pip"  # any name does: a 404 is an answer, too
_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_LONGEST = 20.0
_PORTS = {"http": 80, "https": 443}
_TIME_ERRORS = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


async def ask_upstreams(settings: Settings) -> Sequence[UpstreamFacts]:
    """Ask every upstream of every index for one page, all at the same time."""
    asked = [
        _ask(settings, index, url)
        for index in settings.indexes
        if not index.sources and index.path is None
        for url in index.upstreams or (index.upstream,)
    ]
    return await asyncio.gather(*asked)


async def _ask(settings: Settings, index: IndexSettings, url: str) -> UpstreamFacts:
    proxy, plain = _proxy(settings, url), without_userinfo(url)
    certificate_ends: float | None = None
    result: Answer | Trouble
    try:
        certificate_ends = None if proxy else await _connect(settings, index, plain)
        async with _within(settings.read_timeout, Step.ANSWER):
            result = await _get(settings, index, plain)
    except _Failed as failed:
        result = failed.trouble
    except (CheeseboxError, OSError) as error:
        result = Trouble(Step.ANSWER, str(error))
    return UpstreamFacts(
        index=index.name,
        url=plain,
        proxy=proxy and redacted(proxy),
        certificate_ends=certificate_ends,
        result=result,
        missing_on_403=index.missing_on_403,
    )


class _Failed(Exception):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


@asynccontextmanager
async def _within(seconds: float, step: Step) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(min(seconds, _LONGEST)):
            yield
    except TimeoutError as error:
        raise _Failed(Trouble(step, "no answer in time")) from error


async def _connect(settings: Settings, index: IndexSettings, url: str) -> float | None:
    """Go to an upstream step by step; gives when its certificate ends, None where it has none."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        async with _within(settings.connect_timeout, Step.NAME):
            await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _Failed(Trouble(Step.NAME, f"{host}: {error.strerror or error}")) from error
    try:
        context = _tls_context(settings, index) if parts.scheme == "https" else None
        async with _within(settings.connect_timeout, Step.CONNECTION):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        about_time = error.verify_code in _TIME_ERRORS
        raise _Failed(Trouble(Step.TLS, error.verify_message, is_about_time=about_time)) from error
    except ssl.SSLError as error:
        raise _Failed(Trouble(Step.TLS, error.reason or str(error))) from error
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise _Failed(Trouble(Step.CONNECTION, f"{host} port {port}: {why}")) from error
    certificate = writer.get_extra_info("peercert")
    writer.transport.abort()
    return ssl.cert_time_to_seconds(certificate["notAfter"]) if certificate else None


def _tls_context(settings: Settings, index: IndexSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(settings.ca_bundle) if settings.ca_bundle else None)
    if index.client_cert is not None:
        context.load_cert_chain(index.client_cert, index.client_key, password=lambda: b"")
    return context


async def _get(settings: Settings, index: IndexSettings, url: str) -> Answer:
    """Ask as the server does: with its credentials, its proxy and its name."""
    sources = credential_sources(index)
    credentials = await asyncio.to_thread(Credentials, sources) if sources.has_any else None
    async with HttpUpstream(connection_of(settings), credentials) as upstream:
        started = time.perf_counter()
        async with upstream.request("GET", f"{url}{_PROJECT}/", {"Accept": _ACCEPT}) as answer:
            seconds = time.perf_counter() - started
            return Answer(answer.status, seconds, time.time(), _dates(answer.headers))


def _dates(headers: Mapping[str, str]) -> Sequence[float]:
    age = headers.get("age", "0")
    try:
        date = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except ValueError:
        return ()
    return possible_dates(date, float(age) if age.isdecimal() else 0.0)


def _proxy(settings: Settings, url: str) -> str | None:
    parts = urlsplit(url)
    named = getproxies_environment().get(parts.scheme)
    if settings.proxy is not None or named is None or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return settings.proxy
    return named
