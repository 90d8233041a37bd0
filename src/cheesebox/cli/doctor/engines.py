"""Verdicts about the engines that nodes share, and about the way from one node to another; pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cheesebox.cli.doctor.findings import fail, ok, warn
from cheesebox.cli.doctor.server import Listener
from cheesebox.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cheesebox.adapters.valkey.looking import ServerFacts
    from cheesebox.cli.doctor.findings import Finding

_OLDEST = 5
_SKEW_SEEN = 30.0
_NEARLY_FULL = 0.8
_SLOW = 0.5
_STORAGE_FIX = "look at store, store_endpoint, store_region, the credentials (AWS_…) and the bucket's policy"
_STORAGE_FIXES = {
    "RequestTimeTooSkewed": "set this machine's clock: use NTP",
    "InvalidAccessKeyId": "look at AWS_ACCESS_KEY_ID, and whether store_endpoint is where that key belongs",
    "SignatureDoesNotMatch": "look at AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "renew the credentials, or use the role of the machine or the pod",
    "AccessDenied": "let these credentials get, put, delete and list what is below the prefix",
    "NoSuchBucket": "make the bucket, or look at store and store_region",
}
"""By the code that S3 gives (Amazon S3 API Reference, error responses)."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Why an engine cannot be used, and with what operation that was found."""

    operation: str
    message: str


@dataclass(frozen=True, slots=True)
class RegisterFacts:
    """What asking the register brought; ``seconds`` for one question, ``ahead`` of this machine's clock."""

    result: ServerFacts | Failed
    seconds: float = 0.0
    ahead: float = 0.0


@dataclass(frozen=True, slots=True)
class StorageFacts:
    """What writing, listing, reading and removing a small object brought; ``seconds`` for all of it."""

    where: str
    result: Failed | None
    seconds: float = 0.0


def judge_register(facts: RegisterFacts) -> Iterator[Finding]:
    """Judge the register, its memory and its clock."""
    match facts.result:
        case Failed(_, message):
            yield fail("register", message, "look at catalogue, and whether the server lets this machine in")
        case server:
            yield _judge_version(server, facts.seconds)
            yield from _judge_memory(server)
            yield _judge_clock(facts.ahead)


def _judge_version(server: ServerFacts, seconds: float) -> Finding:
    said = f"{server.product} {server.version or 'of a version that it does not tell'}"
    said += f" answers in {seconds * 1000:.0f} ms"
    major = server.version.partition(".")[0]
    if major.isdecimal() and int(major) < _OLDEST:
        return fail("register", said, f"at least version {_OLDEST} is needed")
    if seconds > _SLOW:
        return warn("register", said, "each miss asks it several times: let it be near the nodes")
    return ok("register", said)


def _judge_memory(server: ServerFacts) -> Iterator[Finding]:
    if server.policy and server.policy != "noeviction":
        yield warn(
            "register",
            f"maxmemory-policy is {server.policy}: what nodes know can vanish, and is fetched again",
            "set maxmemory-policy noeviction, and give it a server or a memory of its own",
        )
    if server.max_memory and server.used_memory > _NEARLY_FULL * server.max_memory:
        share = server.used_memory / server.max_memory
        yield warn("register", f"{share:.0%} of its maxmemory is in use", "raise maxmemory")


def _judge_clock(ahead: float) -> Finding:
    if abs(ahead) <= _SKEW_SEEN:
        return ok("register", "its clock agrees with this machine's")
    said = (
        f"its clock is {format_duration(round(abs(ahead)))} {'ahead of' if ahead > 0 else 'behind'} this one"
    )
    return warn("register", said, "nodes allow for that, signatures of S3 for 15 minutes at most: use NTP")


def judge_storage(facts: StorageFacts) -> Finding:
    """Judge the object storage."""
    if facts.result is None:
        ms = facts.seconds * 1000
        return ok("storage", f"{facts.where}: written, listed, read and removed in {ms:.0f} ms")
    message = facts.result.message
    fix = next((fix for reason, fix in _STORAGE_FIXES.items() if reason in message), _STORAGE_FIX)
    return fail("storage", f"{facts.where}: {facts.result.operation}: {message}", fix)


def judge_node_url(url: str | None, listener: Listener, *, server_answers: bool) -> Finding:
    """Judge whether other nodes can read from this one; ``listener`` is who answers at ``url``."""
    if url is None:
        return warn(
            "node_url",
            "not set: other nodes wait for what this one is fetching until all of it is stored",
            "set node_url to where the other nodes reach this one, such as http://10.0.0.7:6283",
        )
    match listener:
        case Listener.READY | Listener.NOT_READY if _is_loopback(url):
            return warn("node_url", f"{url} is this machine for each node", "use an address of the network")
        case Listener.READY | Listener.NOT_READY:
            return ok("node_url", f"cheesebox answers at {url}")
        case Listener.NOBODY if not server_answers:
            return warn("node_url", f"nobody listens at {url} while no server runs", "cheesebox serve")
    return fail(
        "node_url", f"this node does not answer at {url}", "look at node_url, host, port and firewalls"
    )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
