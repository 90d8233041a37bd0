"""The HTTP upstream: what it sends, and what becomes of the world's failures."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import trustme

from cheesebox.adapters.http_upstream import Connection, HttpUpstream
from cheesebox.errors import CheeseboxError, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from tests.fakes.faults import Delay, NoLength, RedirectLoop, RedirectTo, Reset, Status, Truncate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.fakes.pypi import FakePyPI

PLAIN = Connection("cheesebox/test (contact)", connect_timeout=5, read_timeout=5)


async def fetch(
    url: str, connection: Connection = PLAIN, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with HttpUpstream(connection) as upstream, upstream.request("GET", url, named) as answer:
        body = b"".join([chunk async for chunk in answer.chunks()])
        return answer.status, dict(answer.headers), body


@asynccontextmanager
async def server(
    reply: bytes, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer every request with these bytes; gives the port and the heads of the requests."""
    heads: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(reply)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield listening.sockets[0].getsockname()[1], heads


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


async def test_the_body_is_given_as_it_is_on_the_wire(pypi: FakePyPI) -> None:
    pypi.add_wheel("demo", "1.0")
    status, headers, body = await fetch(f"{pypi.simple_url}demo/", Accept_Encoding="gzip")
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert body.startswith(b"\x1f\x8b")


async def test_the_user_agent_is_ours_and_no_coding_is_asked_for_by_itself(pypi: FakePyPI) -> None:
    await fetch(f"{pypi.simple_url}demo/")
    sent = pypi.requests[0].headers
    assert sent["user-agent"] == "cheesebox/test (contact)"
    assert "accept-encoding" not in sent


async def test_the_url_is_sent_as_the_index_wrote_it() -> None:
    async with server(OK) as (port, heads):
        await fetch(f"http://127.0.0.1:{port}/packages/a%2Bb+c%21.whl")
    assert heads[0].startswith(b"GET /packages/a%2Bb+c%21.whl HTTP/1.1\r\n")


async def test_redirects_are_followed_and_the_last_url_is_told(pypi: FakePyPI) -> None:
    file = pypi.add_wheel("demo", "1.0")
    pypi.fault("/elsewhere", RedirectTo(file.url))
    async with (
        HttpUpstream(PLAIN) as upstream,
        upstream.request("GET", f"{pypi.url}/elsewhere", {}) as answer,
    ):
        assert (answer.status, answer.url) == (200, file.url)


async def test_a_redirect_loop_is_a_broken_answer(pypi: FakePyPI) -> None:
    pypi.fault("/loop", RedirectLoop())
    with pytest.raises(UpstreamBroken, match="redirects astray"):
        await fetch(f"{pypi.url}/loop")


async def test_a_redirect_out_of_the_web_is_a_broken_answer(pypi: FakePyPI) -> None:
    pypi.fault("/out", RedirectTo("file:///etc/passwd"))
    with pytest.raises(UpstreamBroken):
        await fetch(f"{pypi.url}/out")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Reset(), UpstreamUnreachable),
        (Reset(after=100), UpstreamBroken),
        (Truncate(100), UpstreamBroken),
    ],
)
async def test_cuts_become_errors_of_the_domain(
    pypi: FakePyPI, fault: object, error: type[CheeseboxError]
) -> None:
    file = pypi.add_wheel("demo", "1.0", size_padding=50_000)
    pypi.fault(file.path, fault)
    with pytest.raises(error):
        await fetch(file.url)


async def test_silence_is_a_timeout(pypi: FakePyPI) -> None:
    pypi.fault("/slow", Delay(30))
    with pytest.raises(UpstreamTimeout, match="did not answer in time"):
        await fetch(f"{pypi.url}/slow", replace(PLAIN, read_timeout=0.2))


async def test_a_status_is_an_answer_and_no_error(pypi: FakePyPI) -> None:
    pypi.fault("/busy", Status(503))
    assert (await fetch(f"{pypi.url}/busy"))[0] == 503


async def test_a_body_without_a_length_ends_where_it_ends(pypi: FakePyPI) -> None:
    file = pypi.add_wheel("demo", "1.0")
    pypi.fault(file.path, NoLength(chunked=True))
    assert (await fetch(file.url))[2] == file.content


async def test_a_refused_connection_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(UpstreamUnreachable, match=f"cannot reach http://127.0.0.1:{port}"):
        await fetch(f"http://127.0.0.1:{port}/simple/")


async def test_an_unknown_name_is_unreachable() -> None:
    with pytest.raises(UpstreamUnreachable, match=r"cannot reach http://nowhere\.invalid"):
        await fetch("http://nowhere.invalid/simple/", replace(PLAIN, proxy=None))


async def test_an_answer_that_is_no_http_is_broken() -> None:
    async with server(b"SSH-2.0-OpenSSH_9.2\r\n") as (port, _):
        with pytest.raises(UpstreamBroken):
            await fetch(f"http://127.0.0.1:{port}/")


async def test_credentials_in_the_url_are_in_no_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(UpstreamUnreachable) as refused:
        await fetch(f"http://user:secret@127.0.0.1:{port}/simple/")
    assert "secret" not in str(refused.value)
    assert "secret" not in str(CheeseboxError("http://user:secret@index.example/simple/ answered 500"))


async def test_a_proxy_is_asked_for_the_whole_url() -> None:
    async with server(OK) as (port, heads):
        through = replace(PLAIN, proxy=f"http://127.0.0.1:{port}")
        assert (await fetch("http://index.example/simple/", through))[2] == b"ok"
    assert heads[0].startswith(b"GET http://index.example/simple/ HTTP/1.1\r\n")


async def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(OK) as (port, heads):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert (await fetch("http://index.example/simple/"))[2] == b"ok"
    assert heads


async def test_a_certificate_is_trusted_through_the_bundle_only(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    async with server(OK, context) as (port, _):
        url = f"https://127.0.0.1:{port}/"
        assert (await fetch(url, replace(PLAIN, ca_bundle=bundle)))[2] == b"ok"
        with pytest.raises(UpstreamUnreachable, match="cannot reach"):
            await fetch(url)
