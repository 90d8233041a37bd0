"""Facts about upstreams, gathered from the double, from a TLS server and from ports where nothing is."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from cheesebox.cli.doctor.asking import ask_upstreams
from cheesebox.cli.doctor.upstreams import Answer, Step, Trouble
from cheesebox.server.sockets import listen
from cheesebox.settings import IndexSettings, Settings
from tests.fakes.faults import Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cheesebox.cli.doctor.upstreams import UpstreamFacts
    from tests.fakes.pypi import FakePyPI

HEAD = (
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nDate: Tue, 01 Jan 2030 00:00:00 GMT\r\nAge: 60\r\n\r\n"
)
NEW_YEAR_2030 = 1_893_456_000.0


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


async def ask(url: str, **settings: object) -> UpstreamFacts:
    index = IndexSettings(upstream=url)
    [facts] = await ask_upstreams(Settings(index=index, **settings))  # type: ignore[arg-type]
    return facts


@asynccontextmanager
async def tls_server(certificate: trustme.LeafCert) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/simple/"


async def test_an_upstream_that_answers_tells_its_status_and_the_time(pypi: FakePyPI) -> None:
    pypi.add_wheel("pip", "1.0")
    facts = await ask(pypi.simple_url)
    assert isinstance(facts.result, Answer)
    assert facts.result.status == 200
    assert facts.certificate_ends is None
    pypi.fault("/simple/*", Status(503))
    failing = (await ask(pypi.simple_url)).result
    assert isinstance(failing, Answer)
    assert failing.status == 503


async def test_every_mirror_of_every_index_is_asked(pypi: FakePyPI) -> None:
    mirrors = IndexSettings(name="a", upstreams=(pypi.simple_url, f"{pypi.url}/other/"))
    merged = IndexSettings(name="b", sources=("a",))
    facts = await ask_upstreams(Settings(index=mirrors, further=(merged,)))
    assert [(fact.index, fact.url) for fact in facts] == [
        ("a", pypi.simple_url),
        ("a", f"{pypi.url}/other/"),
    ]


async def test_credentials_are_sent_and_not_told(pypi: FakePyPI) -> None:
    facts = await ask(pypi.simple_url.replace("http://", "http://kim:secret@"))
    assert "secret" not in repr(facts)
    assert "authorization" in {name.lower() for name in pypi.requests[-1].headers}


async def test_a_port_where_nobody_listens_is_a_matter_of_tcp() -> None:
    with listen("127.0.0.1", 0) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/simple/"
    result = (await ask(url)).result
    assert isinstance(result, Trouble)
    assert (result.step, "refused" in result.message) == (Step.CONNECTION, True)


async def test_a_name_that_does_not_exist_is_a_matter_of_dns() -> None:
    result = (await ask("http://index.invalid/simple/")).result
    assert isinstance(result, Trouble)
    assert result.step is Step.NAME


async def test_an_upstream_that_says_nothing_is_given_up() -> None:
    with listen("127.0.0.1", 0) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/simple/"
        result = (await ask(url, read_timeout=0.2)).result
    assert isinstance(result, Trouble)
    assert result.step is Step.ANSWER


async def test_a_proxy_is_asked_and_named_without_its_password(pypi: FakePyPI) -> None:
    proxy = pypi.url.replace("http://", "http://kim:secret@")
    facts = await ask("http://index.invalid/simple/", proxy=proxy)
    assert facts.proxy == pypi.url
    assert isinstance(facts.result, Answer)


async def test_a_certificate_is_read_where_it_is_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    ends = dt.datetime(2035, 1, 1, tzinfo=dt.UTC)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with tls_server(authority.issue_cert("127.0.0.1", not_after=ends)) as url:
        facts = await ask(url, ca_bundle=tmp_path / "ca.pem")
    assert facts.certificate_ends == ends.timestamp()
    assert isinstance(facts.result, Answer)
    assert facts.result.dates == (NEW_YEAR_2030, NEW_YEAR_2030 + 60)


async def test_a_certificate_of_an_unknown_authority_is_a_matter_of_tls() -> None:
    async with tls_server(trustme.CA().issue_cert("127.0.0.1")) as url:
        result = (await ask(url)).result
    assert isinstance(result, Trouble)
    assert (result.step, result.is_about_time) == (Step.TLS, False)


async def test_an_expired_certificate_is_a_matter_of_time(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    async with tls_server(authority.issue_cert("127.0.0.1", not_after=past)) as url:
        result = (await ask(url, ca_bundle=tmp_path / "ca.pem")).result
    assert isinstance(result, Trouble)
    assert (result.step, result.is_about_time) == (Step.TLS, True)


async def test_https_where_the_upstream_speaks_http_is_a_matter_of_tls(pypi: FakePyPI) -> None:
    result = (await ask(pypi.simple_url.replace("http:", "https:"))).result
    assert isinstance(result, Trouble)
    assert result.step in (Step.TLS, Step.CONNECTION)


async def test_a_bundle_without_certificates_is_told_and_not_thrown(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    for proxy in (None, "http://127.0.0.1:9"):
        result = (await ask("https://127.0.0.1:9/simple/", ca_bundle=tmp_path / "ca.pem", proxy=proxy)).result
        assert isinstance(result, Trouble)
