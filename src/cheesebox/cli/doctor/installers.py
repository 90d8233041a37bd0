"""Verdicts about the configuration of pip and uv: do they ask the cache, and nobody beside it; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from cheesebox.cli import pip_conf, uv_toml
from cheesebox.cli.config.address import Address
from cheesebox.cli.doctor.findings import Finding, fail, ok, warn
from cheesebox.errors import SettingsError
from cheesebox.setting_values import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PORTS = {"http": 80, "https": 443}
_OFF = ("", "0", "false", "no", "off")


class Text(NamedTuple):
    """A configuration file that exists."""

    path: str
    text: str


class Said(NamedTuple):
    """A value and where it stands."""

    value: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """What one installer is told; ``unread`` holds why a file of its cannot be read."""

    name: str
    index: Said | None = None
    further: Said | None = None
    trusted: tuple[str, ...] = ()
    no_index: Said | None = None
    no_cache: Said | None = None
    unread: tuple[str, ...] = field(default=())


def read_pip(files: Sequence[Text], environ: Mapping[str, str]) -> Installer:
    """Read what ``pip install`` is told: by files in their order, ``[install]`` first, by the environment."""
    found: dict[str, dict[str, Said]] = {pip_conf.GLOBAL: {}, "install": {}}
    unread = []
    for path, text in files:
        try:
            for (section, name), value in pip_conf.read(text).items():
                if section in found:
                    found[section][name] = Said(value, path)
        except SettingsError as error:
            unread.append(f"{path}: {error}")
    told = found[pip_conf.GLOBAL] | found["install"]
    for name in ("index-url", "extra-index-url", "trusted-host", "no-index", "no-cache-dir"):
        variable = f"PIP_{name.upper().replace('-', '_')}"
        if environ.get(variable):
            told[name] = Said(environ[variable], variable)
    return Installer(
        name="pip",
        index=told.get("index-url"),
        further=told.get("extra-index-url"),
        trusted=tuple(told["trusted-host"].value.split()) if "trusted-host" in told else (),
        no_index=_if_on(told.get("no-index")),
        no_cache=_if_on(told.get("no-cache-dir")),
        unread=tuple(unread),
    )


def read_uv(files: Sequence[Text], environ: Mapping[str, str]) -> Installer:
    """Read what uv is told by the files of machine and user, and by the environment."""
    index, further, unread = None, [], []
    for path, text in files:
        try:
            indexes = uv_toml.read(text)
        except SettingsError as error:
            unread.append(f"{path}: {error}")
            continue
        index = Said(indexes.default, path) if indexes.default else index
        further += [Said(url, path) for url in indexes.further]
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        index = Said(environ[name], name) if environ.get(name) else index
    for name in ("UV_EXTRA_INDEX_URL", "UV_INDEX"):
        further += [Said(environ[name], name)] if environ.get(name) else []
    return Installer(
        name="uv",
        index=index,
        further=Said(" ".join(said.value for said in further), further[-1].source) if further else None,
        no_cache=_if_on(_variable(environ, "UV_NO_CACHE")),
        unread=tuple(unread),
    )


def judge_installer(installer: Installer, ours: Sequence[Address]) -> Iterator[Finding]:
    """Judge whether an installer asks the cache, at one of ``ours``."""
    name, index = installer.name, installer.index
    write = f"cheesebox config {name} --write"
    yield from (fail(name, why, "put the file right: it is not read") for why in installer.unread)
    if index is None:
        yield warn(name, "asks the public index: no index is set", write)
    elif not _is_one_of(_url(index.value), ours):
        yield warn(name, f"asks {redacted(_url(index.value))} ({index.source})", _set_in(index, write))
    else:
        yield ok(name, f"asks the cache at {redacted(_url(index.value))} ({index.source})")
        yield from _judge_trust(installer, Address(_url(index.value)), write)
    if installer.no_index is not None:
        yield warn(
            name, f"asks no index at all ({installer.no_index.source})", _set_in(installer.no_index, write)
        )
    if installer.further is not None:
        yield from _judge_further(name, installer.further, ours)
    if installer.no_cache is not None:
        said = f"keeps no cache of its own, and builds every sdist anew ({installer.no_cache.source})"
        yield warn(name, said, f"remove {installer.no_cache.source} where this is not meant")


def _judge_trust(installer: Installer, index: Address, write: str) -> Iterator[Finding]:
    host = index.trusted_host
    if installer.name == "pip" and host and not {host, index.host} & set(installer.trusted):
        yield fail("pip", f"does not trust {host}: it takes plain http from loopback only", write)


def _judge_further(name: str, further: Said, ours: Sequence[Address]) -> Iterator[Finding]:
    others = [url for word in further.value.split() if not _is_one_of(url := _url(word), ours)]
    if others:
        shown = " ".join(map(redacted, others))
        how = "takes the newest of both" if name == "pip" else "takes a project from it alone, if it is there"
        fix = "let the cache merge them: [[index]] with sources, in the settings of cheesebox"
        yield warn(name, f"asks {shown}, too ({further.source}), and {how}", fix)


def _set_in(said: Said, write: str) -> str:
    return write if "/" in said.source or "\\" in said.source else f"unset {said.source}, then {write}"


def _url(word: str) -> str:
    """Give the URL of an index that may have a name (``name=https://…``), as uv writes them."""
    name, equals, url = word.partition("=")
    return url if equals and "/" not in name else word


def _is_one_of(url: str, ours: Sequence[Address]) -> bool:
    return any(_leads_to(url, address) for address in ours)


def _leads_to(url: str, address: Address) -> bool:
    """Tell whether a URL is of a Simple API below the mount, be it now or as of a day."""
    asked, own = urlsplit(url), urlsplit(address.mount_url)
    path = asked.path.rstrip("/") + "/"
    return (
        _place(url) == _place(address.mount_url)
        and path.startswith(f"{own.path}/")
        and path.endswith("/simple/")
    )


def _place(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    host = "loopback" if Address(url).is_loopback else (parts.hostname or "")
    try:
        return parts.scheme, host, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return parts.scheme, host, None


def _if_on(said: Said | None) -> Said | None:
    return said if said is not None and said.value.strip().lower() not in _OFF else None


def _variable(environ: Mapping[str, str], name: str) -> Said | None:
    return Said(environ[name], name) if name in environ else None
