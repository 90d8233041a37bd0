"""From the URL of a register to a client of it. Credentials in the URL are shown nowhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from cheesebox.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CONNECT_SECONDS = 1.0

_PORT = 6379
_SENTINEL_PORT = 26379
_SCHEMES = "valkey, valkeys (TLS), redis, rediss (TLS), unix, valkey+sentinel, valkey+cluster"
_HOSTS = re.compile(r"[\w.:\[\],-]*", re.ASCII)


class Client(Protocol):
    """What is used of the clients of redis-py."""

    async def execute_command(self, *args: str | bytes | int) -> Any:
        """Send a command, read its answer."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A client that connects on first use.

    ``where`` tells people which server it is. Of the errors, ``lost`` are those of a broken connection,
    ``unknown_script`` tells that ``EVALSHA`` named none, ``failures`` are all that calls raise.
    """

    client: Client
    where: str
    lost: type[Exception]
    unknown_script: type[Exception]
    failures: tuple[type[Exception], ...]


def open_client(url: str, connections: int) -> Opened:
    """Make a client; raises `SettingsError` for a URL that cannot be used, or when redis-py is missing."""
    where = shown(url)
    try:
        from redis import exceptions  # noqa: PLC0415 - an extra: most caches have no register
    except ImportError:
        raise SettingsError(f"the register {where} needs redis-py: install cheesebox[valkey]") from None
    try:
        client = _client(url, connections)
    except (ValueError, TypeError):  # their messages tell pieces of the URL
        client = None
    if client is None:
        raise SettingsError(f"the register {where} is no URL that can be used; schemes are {_SCHEMES}")
    failures = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
    return Opened(client, where, exceptions.ConnectionError, exceptions.NoScriptError, failures)


def shown(url: str) -> str:
    """Give as much of a URL as can be shown: nothing that is, or may be a piece of, a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "URL"
    hosts = parts.netloc.rpartition("@")[2]
    unclear = "@" in parts.path + parts.query + parts.fragment or not _HOSTS.fullmatch(hosts)
    return f"{parts.scheme}://…" if unclear else f"{parts.scheme}://{hosts}{parts.path}"


def _client(url: str, connections: int) -> Client | None:
    scheme, _, rest = url.partition("://")
    family, _, way = scheme.replace("valkey", "redis").partition("+")
    if family not in {"redis", "rediss", "unix"}:
        return None
    options = _options() | {"max_connections": connections}
    match way:
        case "":
            return _of_server(f"{family}://{rest}", options)
        case "sentinel":
            return _of_sentinels(urlsplit(url), options, tls=family == "rediss")
        case "cluster":
            return _of_cluster(urlsplit(url), options, tls=family == "rediss")
        case _:
            return None


def _options() -> dict[str, Any]:
    from redis.asyncio.retry import Retry  # noqa: PLC0415 - an extra
    from redis.backoff import NoBackoff  # noqa: PLC0415 - an extra

    return {
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_timeout": None,  # who calls bounds the whole call
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,  # answers have the same shapes in all versions of redis-py
    }


def _of_server(url: str, options: Mapping[str, Any]) -> Client:
    from redis.asyncio import Redis  # noqa: PLC0415 - an extra

    return cast("Client", Redis.from_url(url, **options))


class _OfSentinels:
    """A client of the server that the sentinels name; closes its connections to them too."""

    def __init__(self, sentinels: Sequence[Client], client: Client) -> None:
        self.execute_command = client.execute_command
        self._clients = (client, *sentinels)

    async def aclose(self) -> None:
        """Let go of all connections."""
        for client in self._clients:
            await client.aclose()


def _of_sentinels(url: SplitResult, options: dict[str, Any], *, tls: bool) -> Client | None:
    from redis.asyncio.sentinel import Sentinel  # noqa: PLC0415 - an extra

    service, _, database = url.path.strip("/").partition("/")
    if not service:
        return None
    query = dict(parse_qsl(url.query))
    of_sentinels = _options() | _given(query, "sentinel_username", "sentinel_password")
    untyped: Any = Sentinel
    sentinel = untyped(
        _hosts(url, _SENTINEL_PORT),
        sentinel_kwargs={name.removeprefix("sentinel_"): value for name, value in of_sentinels.items()},
        **options,
        **_credentials(url),
        **(_tls(query) if tls else {}),
    )
    client = sentinel.master_for(unquote(service), db=int(database or 0))
    return _OfSentinels(sentinel.sentinels, client)


def _of_cluster(url: SplitResult, options: dict[str, Any], *, tls: bool) -> Client:
    from redis.asyncio.cluster import ClusterNode, RedisCluster  # noqa: PLC0415 - an extra

    tls_options = _tls(dict(parse_qsl(url.query))) if tls else {}
    nodes = [ClusterNode(host, port) for host, port in _hosts(url, _PORT)]
    client = RedisCluster(startup_nodes=nodes, **options, **_credentials(url), **tls_options)
    return cast("Client", client)


def _tls(query: Mapping[str, str]) -> dict[str, Any]:
    return {"ssl": True} | _given(query, "ssl_ca_certs")


def _given(query: Mapping[str, str], *names: str) -> dict[str, Any]:
    return {name: query[name] for name in names if name in query}


def _credentials(url: SplitResult) -> dict[str, Any]:
    user, _, password = url.netloc.rpartition("@")[0].partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _hosts(url: SplitResult, port: int) -> list[tuple[str, int]]:
    """Give all of ``host:port,host:port``; raises `ValueError`."""
    places = [urlsplit(f"//{place}") for place in url.netloc.rpartition("@")[2].split(",")]
    hosts = [(place.hostname or "", place.port or port) for place in places]
    if not all(host for host, _ in hosts):
        raise ValueError("a host is missing")
    return hosts
