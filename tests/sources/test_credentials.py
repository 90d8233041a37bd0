from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
import sys
from contextlib import asynccontextmanager
from types import ModuleType, SimpleNamespace

import pytest
import trustme

from cheesebox.adapters.credentials import Credentials, CredentialSources, web_origin, without_userinfo
from cheesebox.adapters.http_upstream import Connection, HttpUpstream
from cheesebox.errors import SettingsError
from tests.fakes.faults import RedirectTo, Status

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
PAGE = "/pypi/simple/demo/"
SECRET = "s3cr3t-w0rd"


def basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


BASIC = basic("someone", SECRET)
BEARER = f"Bearer {SECRET}"


def sent(double, path="*"):
    return [
        request.headers.get("authorization")
        for request in double.requests
        if path == "*" or request.path.startswith(path)
    ]


@pytest.fixture
def pypi(doubles):
    double = doubles()
    double.add_wheel("demo", "1.0")
    return double


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


def get_json(box, path=PAGE):
    return box.get(path, Accept=SIMPLE_JSON)


def fetch_all(box):
    answer = get_json(box)
    assert answer.status == 200, answer
    (file,) = json.loads(answer.body)["files"]
    assert box.follow(PAGE, file["url"]).status == 200
    return file["url"]


def test_user_and_password_of_the_url_are_sent_and_shown_nowhere(serve, pypi, caplog):
    caplog.set_level(logging.DEBUG)
    url = pypi.simple_url.replace("://", f"://someone:{SECRET}@")
    box = serve(f'upstream = "{url}"', hot_size="1MB")
    fetch_all(box)
    assert set(sent(pypi)) == {BASIC}
    pypi.go_down()
    problem = get_json(box, "/pypi/simple/other/")
    assert problem.status == 502
    for text in (get_json(box).body.decode(), problem.body.decode(), caplog.text):
        assert SECRET not in text
        assert BASIC not in text
    assert SECRET not in json.dumps([entry.origin for entry in box.app._parts.shelf.catalogue.entries()])


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (f'username = "someone"\npassword = "{SECRET}"', BASIC),
        ('username = "someone"\npassword_file = "{file}"', BASIC),
        (f'token = "{SECRET}"', BEARER),
        ('token_file = "{file}"', BEARER),
    ],
)
def test_credentials_of_the_settings_are_sent_with_every_request(serve, pypi, secret_file, keys, expected):
    box = serve(f'upstream = "{pypi.simple_url}"\n{keys.format(file=secret_file)}')
    fetch_all(box)
    assert set(sent(pypi)) == {expected}


def test_netrc_is_read_only_where_the_setting_says_so(serve, pypi, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login someone password {SECRET}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    get_json(serve(f'upstream = "{pypi.simple_url}"'))
    get_json(serve(f'upstream = "{pypi.simple_url}"\nnetrc = true'))
    assert sent(pypi) == [None, BASIC]


def test_the_keyring_is_asked_for_the_url_and_then_for_its_host(serve, pypi, monkeypatch):
    asked = []

    def get_credential(service, username):
        asked.append((service, username))
        found = service == pypi.url.removeprefix("http://")
        return SimpleNamespace(username="someone", password=SECRET) if found else None

    keyring = ModuleType("keyring")
    keyring.get_credential = get_credential
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    get_json(serve(f'upstream = "{pypi.simple_url}"\nkeyring = true'))
    assert sent(pypi) == [BASIC]
    assert [service for service, _ in asked] == [pypi.simple_url, pypi.url.removeprefix("http://")]


def test_without_the_keyring_package_the_message_tells_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SettingsError, match=r"cheesebox\[keyring\]"):
        Credentials(CredentialSources(upstreams=("https://a/simple/",), keyring=True))


def test_another_file_host_gets_no_credentials_unless_it_is_named(serve, doubles):
    pypi = doubles(separate_file_host=True)
    pypi.add_wheel("demo", "1.0")
    keys = f'upstream = "{pypi.simple_url}"\ntoken = "{SECRET}"\n'
    fetch_all(serve(keys))
    assert (sent(pypi, "/simple/"), sent(pypi, "/packages/")) == ([BEARER], [None])
    pypi.clear()
    host = pypi.files_url.removeprefix("http://")
    fetch_all(serve(f'{keys}credential_hosts = ["{host}"]'))
    assert (sent(pypi, "/simple/"), sent(pypi, "/packages/")) == ([BEARER], [BEARER])


def test_a_redirect_takes_no_credentials_to_another_host(serve, pypi, doubles):
    other = doubles()
    other.add_wheel("demo", "1.0")
    pypi.fault("/simple/demo/", RedirectTo(f"{other.simple_url}demo/"))
    assert get_json(serve(f'upstream = "{pypi.simple_url}"\ntoken = "{SECRET}"')).status == 200
    assert sent(pypi) == [BEARER]
    assert sent(other) == [None]


def test_two_indexes_of_one_host_have_credentials_of_their_own(serve, pypi):
    box = serve(f"""
        [[index]]
        name = "one"
        upstream = "{pypi.simple_url}"
        token = "first"
        [[index]]
        name = "two"
        upstream = "{pypi.simple_url}"
        username = "someone"
        password = "{SECRET}"
        [[index]]
        name = "three"
        upstream = "{pypi.simple_url}"
    """)
    for name in ("one", "two", "three"):
        assert get_json(box, f"/{name}/simple/demo/").status == 200
    assert sent(pypi) == ["Bearer first", BASIC, None]


def test_a_rotated_secret_is_read_again_when_the_old_one_is_refused(serve, pypi, secret_file):
    box = serve(f'upstream = "{pypi.simple_url}"\ntoken_file = "{secret_file}"')
    secret_file.write_text("new")
    pypi.fault("/simple/demo/", Status(401), times=1)
    assert get_json(box).status == 200
    assert sent(pypi) == [BEARER, "Bearer new"]


def test_refused_credentials_are_trouble_and_no_404(serve, pypi):
    pypi.fault("*", Status(401))
    answer = get_json(serve(f'upstream = "{pypi.simple_url}"\ntoken = "{SECRET}"'))
    assert answer.status == 502
    assert SECRET.encode() not in answer.body
    assert len(pypi.requests) == 1


def test_an_answer_that_is_no_http_does_not_bring_the_credentials_to_light(serve, pypi, caplog):
    pypi.fault("*", Status(200, {"Content-Length": "x"}))
    answer = get_json(serve(f'upstream = "{pypi.simple_url}"\ntoken = "{SECRET}"'))
    assert answer.status == 502
    assert SECRET not in answer.body.decode() + caplog.text


# ── values ──────────────────────────────────────────────────────────────────────────────────────


def test_a_secure_upstreams_credentials_never_go_over_a_plain_connection():
    sources = CredentialSources(upstreams=("https://a.example/simple/",), hosts=("b.example",), token="x")
    credentials = Credentials(sources)
    assert credentials.authorization("https://a.example:443/packages/x") == "Bearer x"
    assert credentials.authorization("https://b.example/x") == "Bearer x"
    for url in (
        "http://a.example/simple/",
        "https://a.example:8443/",
        "https://c.example/",
        "http://b.example/",
    ):
        assert credentials.authorization(url) is None
        assert not credentials.belongs_to(url)


def test_each_mirror_gets_the_credentials_of_its_own_url():
    sources = CredentialSources(upstreams=("https://u:p%40@a/simple/", "https://b/simple/", "https://v@c/"))
    credentials = Credentials(sources)
    assert credentials.authorization("https://a/x") == basic("u", "p@")
    assert credentials.authorization("https://b/x") is None
    assert credentials.authorization("https://c/x") == basic("v", "")


def test_secrets_are_not_part_of_what_values_show():
    sources = CredentialSources(upstreams=(f"https://u:{SECRET}@a/",), password=SECRET, token=SECRET)
    assert SECRET not in repr(sources)
    assert without_userinfo(f"https://u:{SECRET}@a/b@c/") == "https://a/b@c/"
    assert web_origin("https://u@A.example/x") == ("https", "a.example", 443)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"username": "x"}, "username: there is no password"),
        ({"password": "x"}, "password: there is no username"),
        ({"username": "a:b", "password": "x"}, "username: a colon"),
        ({"token": "a\nb"}, "token: "),
        ({"token": "x", "hosts": ("https://b/",)}, "credential_hosts: "),
        ({"token": "x", "hosts": ("b:port",)}, "credential_hosts: "),
    ],
)
def test_credentials_that_cannot_be_are_refused_with_the_key(given, message):
    with pytest.raises(SettingsError) as caught:
        Credentials(CredentialSources(upstreams=("https://a/simple/",), **given))
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused_with_the_key(tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for given in ({"token_file": tmp_path / "none"}, {"token_file": empty}):
        with pytest.raises(SettingsError, match="token_file"):
            Credentials(CredentialSources(upstreams=("https://a/",), **given))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="netrc"):
        Credentials(CredentialSources(upstreams=("https://a/",), netrc=True))


def test_a_client_certificate_is_loaded_with_its_key(tmp_path):
    issued = trustme.CA().issue_cert("client@example.org")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    context = ssl.create_default_context()
    upstreams = ("https://a/",)
    assert Credentials(CredentialSources(upstreams=upstreams, client_cert=cert, client_key=key)).prove_in(
        context
    )
    assert not Credentials(CredentialSources(upstreams=upstreams)).prove_in(context)
    with pytest.raises(SettingsError, match="client_cert"):
        Credentials(CredentialSources(upstreams=upstreams, client_cert=cert)).prove_in(context)


@asynccontextmanager
async def tls_server(ca, mode):
    """Answer over TLS with whether the client has shown a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = mode

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        shown = b"shown" if writer.get_extra_info("peercert") else b"none"
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(shown) + shown
        )
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/simple/"


def test_a_client_certificate_is_shown_to_the_indexs_own_hosts_alone(tmp_path):
    ca = trustme.CA()
    bundle, cert = tmp_path / "ca.pem", tmp_path / "cert.pem"
    ca.cert_pem.write_to_path(bundle)
    issued = ca.issue_cert("client@example.org")
    issued.private_key_and_cert_chain_pem.write_to_path(cert)

    async def ask(upstream, url):
        async with upstream.request("GET", url, {}) as answer:
            return b"".join([chunk async for chunk in answer.chunks()])

    async def both():
        async with tls_server(ca, ssl.CERT_REQUIRED) as own, tls_server(ca, ssl.CERT_OPTIONAL) as other:
            credentials = Credentials(CredentialSources(upstreams=(own,), client_cert=cert))
            async with HttpUpstream(Connection("test", ca_bundle=bundle), credentials) as upstream:
                return await ask(upstream, own), await ask(upstream, other)

    assert asyncio.run(both()) == (b"shown", b"none")
