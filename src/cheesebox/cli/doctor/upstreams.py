"""Verdicts about an upstream: whether it is reached, its certificate, and the clock; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cheesebox.cli.doctor.findings import Finding, fail, ok, warn
from cheesebox.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DAY = 86400.0
_EXPIRES_SOON = 14 * _DAY
_SKEW_SEEN, _SKEW_HARMS = 30.0, 300.0
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _GONE, _TOO_MANY = 200, 401, 403, 404, 410, 429
_SERVER_ERROR = 500


class Step(StrEnum):
    """How far a request got before it failed."""

    NAME = "DNS"
    CONNECTION = "TCP"
    TLS = "TLS"
    ANSWER = "HTTP"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a request failed; ``is_about_time`` when a certificate is not valid now."""

    step: Step
    message: str
    is_about_time: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer. ``dates`` are Unix times that ``Date`` may mean, as `possible_dates` gives."""

    status: int
    seconds: float
    received_at: float
    dates: Sequence[float] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFacts:
    """What asking one upstream brought; ``url`` is without credentials, times are Unix times."""

    index: str
    url: str
    proxy: str | None = None
    certificate_ends: float | None = None
    result: Answer | Trouble
    missing_on_403: bool = False


def possible_dates(date: float, age: float) -> Sequence[float]:
    """Give the times at which an answer may have been sent.

    ``Date`` is when the origin made it (RFC 9110 §6.6.1), and ``Age`` what passed since (RFC 9111 §5.1);
    but some caches in between write a ``Date`` of their own and leave the ``Age``.
    """
    return (date, date + age)


def judge_upstream(facts: UpstreamFacts, now: float) -> Iterator[Finding]:
    """Judge whether an upstream can be used."""
    check = f"upstream {facts.index}"
    match facts.result:
        case Trouble() as trouble:
            yield fail(check, f"{facts.url}: {trouble.step}: {trouble.message}", _fix(trouble, facts.proxy))
        case Answer() as answer:
            yield _judge_status(check, facts, answer)
    if facts.certificate_ends is not None:
        yield _judge_certificate(check, facts, facts.certificate_ends - now)


def _fix(trouble: Trouble, proxy: str | None) -> str:
    if trouble.is_about_time:
        return "set this machine's clock; if it is right, the upstream's certificate has to be renewed"
    through = f"the proxy {proxy}" if proxy else "a firewall; where one is needed set proxy or HTTPS_PROXY"
    match trouble.step:
        case Step.NAME:
            return "look at the host's name in upstream and at this machine's DNS (/etc/resolv.conf)"
        case Step.CONNECTION:
            return f"look at host and port in upstream, and at {through}"
        case Step.TLS:
            return "name the certificates to trust in ca_bundle (or SSL_CERT_FILE), or use https with https"
        case Step.ANSWER:
            return f"ask it yourself (curl -v), and look at {through}"


def _judge_status(check: str, facts: UpstreamFacts, answer: Answer) -> Finding:
    said = f"{facts.url} answers {answer.status} in {answer.seconds * 1000:.0f} ms"
    said += f" through {facts.proxy}" if facts.proxy else ""
    match answer.status:
        case status if status in (_OK, _NOT_FOUND, _GONE) or (status == _FORBIDDEN and facts.missing_on_403):
            return ok(check, said)
        case status if status in (_UNAUTHORIZED, _FORBIDDEN):
            return fail(check, said, "set username with password_file, token_file, netrc or keyring")
        case status if status == _TOO_MANY:
            return warn(check, said, "wait a while; one cache for all clients asks less")
        case status if status >= _SERVER_ERROR:
            return fail(check, said, "wait, or name a mirror in upstreams")
    return fail(check, said, "upstream has to be the root of a Simple API, such as https://…/simple/")


def _judge_certificate(check: str, facts: UpstreamFacts, left: float) -> Finding:
    days = int(left // _DAY)
    if left < _EXPIRES_SOON:
        return warn(check, f"{facts.url}: its certificate ends in {days} days", "tell those who run it")
    return ok(check, f"{facts.url}: its certificate is valid for {days} days")


def judge_clock(facts: Sequence[UpstreamFacts]) -> Finding:
    """Judge the clock by those of the upstreams; the best agreement counts."""
    skews = [
        min((date - facts.result.received_at for date in facts.result.dates), key=abs)
        for facts in facts
        if isinstance(facts.result, Answer) and facts.result.dates
    ]
    if not skews:
        return warn("clock", "no upstream told the time", "look at the clock yourself: date -u")
    skew = min(skews, key=abs)
    off = format_duration(round(abs(skew)))
    said = f"{off} {'behind' if skew > 0 else 'ahead of'} the upstream's"
    fix = "let the machine keep its time: timedatectl set-ntp true"
    if abs(skew) > _SKEW_HARMS:
        return fail("clock", said, fix)
    return warn("clock", said, fix) if abs(skew) > _SKEW_SEEN else ok("clock", "agrees with the upstream's")
