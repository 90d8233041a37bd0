"""All settings: one typed model, filled from TOML < environment < command line.

Each field carries its help text and unit, from which the command line and the documentation are
made. The model is a pair of frozen dataclasses: what a settings library would add, reading
environment and TOML into types, is less than the human units, the origins in the messages and the
spelling hints that it would have to be taught.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cheesebox.setting_values import Unit, redacted
from cheesebox.units import format_duration, format_size

if TYPE_CHECKING:
    from cheesebox.simple.matches import Matches
    from cheesebox.simple.policies import Only
    from cheesebox.static_tables import StaticSettings

PUBLIC_UPSTREAM = "https://pypi.org/simple/"
PUBLIC_FILES = "https://files.pythonhosted.org/packages/"
PREFIX = "CHEESEBOX_"
ROOT = "/"
"""The mount of an index that has an application to itself."""
_DAY = 86400.0


class Group(StrEnum):
    """Where a setting stands in help and documentation."""

    SERVER = "Server"
    CACHE = "Cache directory and limits"
    NODES = "Several nodes"
    UPSTREAM = "Upstream connection"
    INDEX = "Index"
    FRESHNESS = "Freshness"
    CREDENTIALS = "Upstream credentials"
    POLICY = "Policies"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as people meet it."""

    name: str
    unit: Unit
    group: Group
    help: str
    default: Any
    choices: tuple[str, ...] = ()
    is_secret: bool = False
    """A secret is no option: command lines are seen by all who may list processes."""
    in_tables_only: bool = False

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    @property
    def option(self) -> str:
        """The command line option."""
        return "--" + self.name.replace("_", "-")

    def show(self, value: Any) -> str:
        """Write a value as people would."""
        match self.unit:
            case Unit.SIZE if value:
                return format_size(value)
            case Unit.DURATION:
                return format_duration(value)
            case Unit.FLAG:
                return "true" if value else "false"
            case Unit.URL | Unit.ENGINE if value:
                return redacted(value).partition("?")[0]  # that of an engine may have a password
            case Unit.URLS | Unit.NAMES:
                return " ".join(map(redacted, value))
        return "none" if value is None or (self.unit is Unit.SIZE and not value) else str(value)


def _field(unit: Unit, group: Group, text: str, default: Any, *choices: str) -> Any:
    return field(default=default, metadata={"unit": unit, "group": group, "help": text, "choices": choices})


def _table_field(unit: Unit, text: str, default: Any) -> Any:
    """Make a field that only an ``[[index]]`` table can set."""
    meta = {"unit": unit, "group": Group.INDEX, "help": text, "choices": (), "in_tables_only": True}
    return field(default=default, metadata=meta)


def _credential(unit: Unit, text: str, default: Any = None, *, is_secret: bool = False) -> Any:
    meta = {"unit": unit, "group": Group.CREDENTIALS, "help": text, "choices": (), "is_secret": is_secret}
    return field(default=default, metadata=meta, repr=not is_secret)


def _secret(group: Group, text: str) -> Any:
    meta = {"unit": Unit.TEXT, "group": group, "help": text, "choices": (), "is_secret": True}
    return field(default=None, metadata=meta, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """Settings of one index; durations in seconds."""

    name: str = _field(Unit.TEXT, Group.INDEX, "name of the index; its folder in the cache directory", "pypi")
    mount: str = _field(Unit.TEXT, Group.INDEX, "subpath that the index lies on", "/pypi")
    upstream: str = _field(
        Unit.URL, Group.INDEX, "root of the upstream's Simple API, http or https", PUBLIC_UPSTREAM
    )
    upstreams: tuple[str, ...] = _field(
        Unit.URLS, Group.INDEX, "mirrors of one index, asked in this order; in place of upstream", ()
    )
    sources: tuple[str, ...] = _table_field(Unit.NAMES, "names of merged indexes, the first wins", ())
    pins: tuple[tuple[str, str], ...] = _table_field(
        Unit.PINS, "projects and the source that alone answers for them", ()
    )
    union: tuple[str, ...] = _table_field(Unit.UNION, "projects whose files all sources give, or all", ())
    path: Path | None = _table_field(  # noqa: RUF009 - it makes a field, not a value
        Unit.PATH, "directory of wheels and sdists to serve", None
    )
    missing_on_403: bool = _field(
        Unit.FLAG, Group.INDEX, "take the upstream's 403 for a project as a 404", default=False
    )
    upstream_files: str | None = _field(
        Unit.URL, Group.INDEX, "where the upstream's packages/ lie; learnt from its pages if not set", None
    )
    public_url: str | None = _field(
        Unit.URL, Group.INDEX, "URL of the mount as clients see it; makes links absolute (micropip)", None
    )
    rewrite_provenance: bool = _field(
        Unit.FLAG, Group.INDEX, "let provenance links lead here; needs an https public_url", default=False
    )
    extract_metadata: bool = _field(
        Unit.FLAG,
        Group.INDEX,
        "offer core metadata for all wheels: read it out of those whose upstream has none",
        default=True,
    )
    fresh_for: float = _field(Unit.DURATION, Group.FRESHNESS, "freshness lifetime of project pages", 300.0)
    list_fresh_for: float = _field(
        Unit.DURATION, Group.FRESHNESS, "freshness lifetime of the project list", 1800.0
    )
    stale_for: float = _field(
        Unit.DURATION,
        Group.FRESHNESS,
        "how long an expired page is served while the upstream fails",
        30 * _DAY,
    )
    negative_for: float = _field(Unit.DURATION, Group.FRESHNESS, "how long a 404 is remembered", 60.0)
    refresh_patience: float = _field(
        Unit.DURATION,
        Group.FRESHNESS,
        "how long a request waits for a refresh before it gets the stale page",
        2.0,
    )
    retry_after: float = _field(
        Unit.DURATION,
        Group.FRESHNESS,
        "first back-off after a failed refresh; doubles with each failure",
        5.0,
    )
    retry_max: float = _field(Unit.DURATION, Group.FRESHNESS, "longest back-off", 60.0)
    full_refetch_after: float = _field(
        Unit.DURATION, Group.FRESHNESS, "age at which a page is fetched whole rather than revalidated", _DAY
    )
    refresh_min_age: float = _field(
        Unit.DURATION, Group.FRESHNESS, "age from which a client's no-cache asks the upstream", 10.0
    )
    username: str | None = _credential(Unit.TEXT, "user name at the upstream")
    password: str | None = _credential(Unit.TEXT, "password", is_secret=True)
    password_file: Path | None = _credential(  # noqa: RUF009 - it makes a field, not a value
        Unit.PATH, "file that holds the password"
    )
    token: str | None = _credential(Unit.TEXT, "bearer token", is_secret=True)
    token_file: Path | None = _credential(  # noqa: RUF009 - it makes a field, not a value
        Unit.PATH, "file that holds the bearer token"
    )
    netrc: bool = _credential(Unit.FLAG, "take user name and password from the netrc file", default=False)
    keyring: bool = _credential(Unit.FLAG, "take the password from the system's keyring", default=False)
    client_cert: Path | None = _credential(  # noqa: RUF009 - it makes a field, not a value
        Unit.PATH, "client certificate (PEM)"
    )
    client_key: Path | None = _credential(  # noqa: RUF009 - it makes a field, not a value
        Unit.PATH, "key of the client certificate, if it is in a file of its own"
    )
    credential_hosts: tuple[str, ...] = _credential(
        Unit.NAMES, "further hosts that get the credentials, such as that of the files", ()
    )
    min_age: float = _field(
        Unit.DURATION, Group.POLICY, "files younger than this are withheld; 0: none are", 0.0
    )
    exempt: Matches | None = _field(  # noqa: RUF009 - it makes a field, not a value
        Unit.MATCHES, Group.POLICY, "projects and versions that min_age does not hold for", None
    )
    undated: str = _field(
        Unit.TEXT,
        Group.POLICY,
        "files without upload time, where min_age or a date asks for it",
        "hide",
        "hide",
        "keep",
    )
    default_date: str | None = _field(
        Unit.MOMENT, Group.POLICY, "show the index as of this day or time (UTC)", None
    )
    allow: Matches | None = _field(  # noqa: RUF009 - it makes a field, not a value
        Unit.MATCHES, Group.POLICY, "projects and versions to serve, and no others", None
    )
    deny: Matches | None = _field(  # noqa: RUF009 - it makes a field, not a value
        Unit.MATCHES, Group.POLICY, "projects and versions to withhold", None
    )
    only: Only | None = _field(  # noqa: RUF009 - it makes a field, not a value
        Unit.ONLY, Group.POLICY, "kind of files to serve: wheels or sdists", None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of the whole program; sizes in bytes, durations in seconds."""

    host: str = _field(Unit.TEXT, Group.SERVER, "address to listen on", "127.0.0.1")
    port: int = _field(Unit.NUMBER, Group.SERVER, "port to listen on; 0 picks a free one", 6283)
    log_format: str = _field(Unit.TEXT, Group.SERVER, "form of the log", "text", "text", "json")
    log_level: str = _field(
        Unit.TEXT, Group.SERVER, "least level that is logged", "info", "debug", "info", "warning", "error"
    )
    access_log: bool = _field(Unit.FLAG, Group.SERVER, "log one line a request", default=True)
    workers: int = _field(Unit.WORKERS, Group.SERVER, "processes that answer; auto: one a core", 1)
    status_header: str = _field(
        Unit.TEXT, Group.SERVER, "response header that tells HIT from MISS", "X-Cache2"
    )
    admin_token: str | None = _secret(
        Group.SERVER, "bearer token of those who may change something by the API"
    )
    access_file: Path | None = _field(  # noqa: RUF009 - it makes a field, not a value
        Unit.PATH, Group.SERVER, "file of those who may use the cache; if not set all may", None
    )
    tls_cert: Path | None = _field(  # noqa: RUF009 - it makes a field, not a value
        Unit.PATH, Group.SERVER, "serve with TLS: certificate chain (PEM), read again when it changes", None
    )
    tls_key: Path | None = _field(  # noqa: RUF009 - it makes a field, not a value
        Unit.PATH, Group.SERVER, "key of the certificate (PEM)", None
    )
    tls_key_password: str | None = _secret(Group.SERVER, "password of the key")
    keep_alive: float = _field(
        Unit.DURATION, Group.SERVER, "how long an idle client connection is kept", 75.0
    )
    limit_concurrency: int = _field(
        Unit.NUMBER, Group.SERVER, "connections above this get 503; 0: no limit", 0
    )
    shutdown_grace: float = _field(
        Unit.DURATION, Group.SERVER, "how long answers under way may take at shutdown", 10.0
    )
    cache_dir: Path = _field(  # noqa: RUF009 - it makes a field, not a value
        Unit.PATH,
        Group.CACHE,
        "directory of the cache; default: cheesebox in the user's cache directory",
        Path(),
    )
    max_size: int = _field(Unit.SIZE, Group.CACHE, "hard limit of the cache on disk", 50 * 10**9)
    max_entries: int = _field(Unit.NUMBER, Group.CACHE, "limit of the number of objects; 0: no limit", 0)
    min_free: int = _field(Unit.SIZE, Group.CACHE, "bytes to leave free on the disk", 10**9)
    inactive: float = _field(Unit.DURATION, Group.CACHE, "unused objects are removed after this", 30 * _DAY)
    hot_size: int = _field(Unit.SIZE, Group.CACHE, "memory for pages and ready answers", 128 * 10**6)
    hot_file_max: int = _field(Unit.SIZE, Group.CACHE, "largest file that is kept in memory", 256 * 10**3)
    store: str | None = _field(
        Unit.ENGINE, Group.NODES, "object storage that nodes share, such as s3://bucket/prefix", None
    )
    store_endpoint: str | None = _field(
        Unit.URL, Group.NODES, "where the storage is; if not set that of its provider", None
    )
    store_region: str | None = _field(Unit.TEXT, Group.NODES, "region of the storage", None)
    catalogue: str | None = _field(
        Unit.ENGINE, Group.NODES, "what nodes know together: Valkey or Redis, such as valkey://host/0", None
    )
    shared_max_size: int = _field(Unit.SIZE, Group.NODES, "limit of the shared storage; 0: no limit", 0)
    node_url: str | None = _field(
        Unit.URL, Group.NODES, "where other nodes reach this one, such as http://10.0.0.7:6283", None
    )
    connect_timeout: float = _field(Unit.DURATION, Group.UPSTREAM, "limit for connecting", 10.0)
    read_timeout: float = _field(Unit.DURATION, Group.UPSTREAM, "longest silence of the upstream", 60.0)
    retries: int = _field(
        Unit.NUMBER, Group.UPSTREAM, "failures in a row without a byte before a download is given up", 4
    )
    max_connections: int = _field(Unit.NUMBER, Group.UPSTREAM, "connections to the upstream", 100)
    max_page_size: int = _field(Unit.SIZE, Group.UPSTREAM, "largest index page, decoded", 256 * 10**6)
    max_file_size: int = _field(Unit.SIZE, Group.UPSTREAM, "largest file; 0: no limit", 0)
    proxy: str | None = _field(
        Unit.URL, Group.UPSTREAM, "HTTP proxy to the upstream; if not set HTTPS_PROXY and NO_PROXY hold", None
    )
    ca_bundle: Path | None = _field(  # noqa: RUF009 - it makes a field, not a value
        Unit.PATH, Group.UPSTREAM, "certificates to trust (PEM); if not set SSL_CERT_FILE holds", None
    )
    offline: bool = _field(
        Unit.FLAG, Group.UPSTREAM, "ask no upstream; pages list what is in the cache", default=False
    )
    contact: str | None = _field(Unit.TEXT, Group.UPSTREAM, "contact that is added to the User-Agent", None)
    index: IndexSettings = IndexSettings()
    further: tuple[IndexSettings, ...] = ()
    statics: tuple[StaticSettings, ...] = ()

    @property
    def indexes(self) -> tuple[IndexSettings, ...]:
        """All indexes, in the order of their tables."""
        return (self.index, *self.further)

    @property
    def front(self) -> IndexSettings:
        """The first index that has a mount: the one to offer where one is asked for."""
        return next(index for index in self.indexes if index.mount)


def describe() -> tuple[Setting, ...]:
    """Give all settings in the order of their groups, without those that only tables can have."""
    found = [_setting(f) for model in (Settings, IndexSettings) for f in fields(model) if f.metadata]
    flat = [setting for setting in found if not setting.in_tables_only]
    return tuple(sorted(flat, key=lambda setting: list(Group).index(setting.group)))


def describe_tables() -> tuple[Setting, ...]:
    """Give the keys of an ``[[index]]`` table."""
    return tuple(_setting(f) for f in fields(IndexSettings))


def _setting(f: Field[Any]) -> Setting:
    meta = dict(f.metadata)
    return Setting(f.name, meta.pop("unit"), meta.pop("group"), meta.pop("help"), f.default, **meta)
