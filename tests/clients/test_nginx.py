"""cheesebox on a subpath of a site that nginx serves over TLS, as ``cheesebox config nginx`` says."""

from __future__ import annotations

import getpass
import gzip
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

import pytest
import trustme

from cheesebox.cli.config.address import Address
from cheesebox.cli.config.servers import Served, nginx
from cheesebox.settings import IndexSettings, Settings
from tests.clients.client import Client
from tests.clients.environments import PIPS, UV, prepare
from tests.fakes.faults import Hold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.conftest import Shop
    from tests.fakes.cheesebox_process import CheeseboxProcess
    from tests.fakes.faults import Gate
    from tests.fakes.pypi import FakePyPI

pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed (package nginx-extras)"),
]
SUBPATH = "/mirror/python"
# A site that compresses and buffers, as most do: the location has to undo it for itself.
SITE = """\
daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/error.log warn; {user}
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {home}/body; proxy_temp_path {home}/temp; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  proxy_cache_path {home}/cache keys_zone=site:1m; proxy_cache site;
  gzip on; gzip_proxied any; gzip_min_length 1; gzip_types *;
{upstream}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {home}/site.pem; ssl_certificate_key {home}/site.key;
    location / {{ return 200 "the rest of the site"; }}
{location}
  }}
}}
"""


class Front(NamedTuple):
    """A running site: its URL of the index, and the authority to trust."""

    address: Address
    authority: Path

    def ask(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        """Ask for a path below the subpath. The connection ends with the answer."""
        parts = urlsplit(self.address.mount_url)
        context = ssl.create_default_context(cafile=str(self.authority))
        connection = http.client.HTTPSConnection(parts.netloc, context=context, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"{parts.path}{path}", headers={**named, "Connection": "close"})
        return connection.getresponse()


@pytest.fixture
def front(box: CheeseboxProcess, tmp_path: Path) -> Iterator[Front]:
    """The site, and cheesebox on a subpath of it."""
    home = tmp_path / "nginx"
    home.mkdir()
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(home / "authority.pem"))
    certificate.private_key_pem.write_to_path(str(home / "site.key"))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(home / "site.pem"), append=True)
    port = free_port()
    address = Address(f"https://127.0.0.1:{port}{SUBPATH}")
    (home / "nginx.conf").write_text(site(home, port, address, urlsplit(box.url).port or 0))
    with running(home, port):
        yield Front(address, home / "authority.pem")


def site(home: Path, port: int, address: Address, behind: int) -> str:
    snippet = nginx(Served(Settings(port=behind), IndexSettings(), address, "cheesebox"))
    upstream, _, location = snippet.partition("# Into the server block")
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    return SITE.format(home=home, user=user, port=port, upstream=upstream, location=f"# {location}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(home: Path, port: int) -> Iterator[None]:
    command = ["nginx", "-c", str(home / "nginx.conf"), "-p", str(home), "-e", str(home / "error.log")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(process, home, port)
        yield
        told = (home / "error.log").read_text()
        assert told == "", told
    finally:
        process.terminate()
        process.wait(20)


def wait_for(process: subprocess.Popen[bytes], home: Path, port: int) -> None:
    give_up = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError((home / "error.log").read_text())


def test_pip_and_uv_install_through_the_site(
    front: Front, pypi: FakePyPI, tmp_path: Path, box: CheeseboxProcess
) -> None:
    pypi.add_wheel("local-one", "1.0+cu118")
    trust = {"SSL_CERT_FILE": str(front.authority), "PIP_CERT": str(front.authority)}
    url = front.address.simple_url
    for name in ("warm", "cold"):
        uv = Client(prepare(UV), tmp_path / name / "uv", trust)
        uv.run("pip", "install", "--default-index", url, "--target", "installed", "demo", "local-one")
        assert (uv.project / "installed" / "helper").is_dir()
    pip = Client(prepare(PIPS[-1]), tmp_path / "pip", trust)
    pip.run("install", "--index-url", url, "--target", "installed", "demo", "local-one")
    assert (pip.project / "installed" / "demo" / "__init__.py").read_text() == '__version__ = "2.0"\n'
    assert not [line for line in box.log_lines() if " 404 " in line]


def test_uv_locks_the_site_s_urls(front: Front, tmp_path: Path) -> None:
    uv = Client(prepare(UV), tmp_path / "uv", {"SSL_CERT_FILE": str(front.authority)})
    uv.write(
        "pyproject.toml",
        '[project]\nname = "tiny"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["demo"]\n'
        f'[[tool.uv.index]]\nurl = "{front.address.simple_url}"\ndefault = true\n',
    )
    uv.run("lock")
    assert f'url = "{front.address.mount_url}/packages/' in (uv.project / "uv.lock").read_text()


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("accept", ["text/html", "application/vnd.pypi.simple.v1+json"])
def test_entity_tags_stay_strong_and_revalidate(
    front: Front, box: CheeseboxProcess, coding: str, accept: str
) -> None:
    given = {"Accept": accept, "Accept_Encoding": coding}
    direct = http.client.HTTPConnection(urlsplit(box.url).netloc, timeout=30)
    named = {name.replace("_", "-"): value for name, value in given.items()}
    direct.request("GET", f"{urlsplit(box.url).path}demo/", headers=named)
    expected = direct.getresponse()
    body = expected.read()
    direct.close()
    through = front.ask("/simple/demo/", **given)
    assert through.read() == body
    for name in ("ETag", "Content-Encoding", "Content-Type", "Content-Length", "Vary"):
        assert through.headers[name] == expected.headers[name]
    etag = through.headers["ETag"]
    assert not etag.startswith("W/")
    assert (b"demo-2.0" in gzip.decompress(body)) if coding == "gzip" else (b"demo-2.0" in body)
    again = front.ask("/simple/demo/", If_None_Match=etag, **given)
    assert (again.status, again.headers["ETag"]) == (304, etag)


def test_ranges_of_files_pass_through(front: Front, pypi: FakePyPI) -> None:
    large = pypi.add_wheel("large", "1.0", size_padding=300_000)
    front.ask("/simple/large/").read()
    assert front.ask(large.path).read() == large.content
    part = front.ask(large.path, Range="bytes=1000-1999")
    assert (part.status, part.read()) == (206, large.content[1000:2000])
    assert part.headers["ETag"] == front.ask(large.path, "HEAD").headers["ETag"]


@pytest.mark.parametrize("path", ["/simple/Demo/", "/simple/demo"])
def test_redirects_stay_below_the_subpath(front: Front, path: str) -> None:
    answer = front.ask(path)
    asked = f"{front.address.mount_url}{path}"
    assert answer.status == 302
    assert urljoin(asked, answer.headers["Location"]) == f"{front.address.simple_url}demo/"


@pytest.mark.parametrize(
    "path", ["/../python/simple/demo/", "/simple/../../python/-/health", "/%2e%2e/-/health"]
)
def test_no_detour_leads_elsewhere_in_cheesebox(front: Front, path: str) -> None:
    answer = front.ask(path)
    assert answer.status in (200, 400, 404)
    assert answer.read() != b"ok\n"


def test_a_large_file_flows_while_the_upstream_still_sends_it(
    front: Front, pypi: FakePyPI, gate: Gate
) -> None:
    large = pypi.add_wheel("large", "1.0", size_padding=3_000_000)
    front.ask("/simple/large/").read()
    pypi.fault(large.path, Hold(gate, after=120_000))
    answer = front.ask(large.path)
    first = answer.read(40_000)  # less than nginx would gather before it passes anything on
    assert first == large.content[:40_000]
    assert gate.reached == 1
    gate.release()
    assert first + answer.read() == large.content


@pytest.mark.parametrize("suffix", ["", ".metadata"])
def test_nothing_is_compressed_on_the_way(front: Front, shop: Shop, suffix: str) -> None:
    front.ask("/simple/demo/").read()
    answer = front.ask(f"{shop.new.path}{suffix}", Accept_Encoding="gzip")
    content = shop.new.metadata if suffix else shop.new.content
    assert content is not None
    assert (answer.headers["Content-Encoding"], answer.headers["Content-Length"]) == (None, str(len(content)))
    assert not answer.headers["ETag"].startswith("W/")
    assert answer.read() == content


def test_connections_to_cheesebox_are_kept(front: Front, box: CheeseboxProcess) -> None:
    for _ in range(5):
        front.ask("/simple/demo/").read()
    port = f"{urlsplit(box.url).port:04X}"
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = [fields for fields in sockets if fields[1].endswith(f":{port}") and fields[3] == "01"]
    assert len(established) == 1


def test_the_rest_of_the_site_is_untouched(front: Front) -> None:
    parts = urlsplit(front.address.mount_url)
    root = Front(Address(f"https://{parts.netloc}"), front.authority)
    assert root.ask("/elsewhere", Accept_Encoding="identity").read() == b"the rest of the site"
