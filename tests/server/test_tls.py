"""TLS served directly: what is agreed on, and certificates that change while the server runs."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trustme

from cheesebox.cli.doctor.looking import look_for_server
from cheesebox.cli.doctor.server import Listener
from cheesebox.errors import SettingsError
from cheesebox.server.hot_protocol import with_lane
from cheesebox.server.tls import Certificates
from cheesebox.settings_loading import load_settings
from tests.clients.client import Client
from tests.clients.environments import PIPS, prepare
from tests.fakes.certificates import Pair
from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.fakes.distributions import incompressible
from tests.web.running import run_app
from tests.web.test_documented_policies import example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.pypi import FakePyPI


def get(connection: ssl.SSLSocket, path: str) -> bytes:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1 << 16)
    head, _, body = received.partition(b"\r\n\r\n")
    [length] = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < length:
        body += connection.recv(1 << 16)
    assert head.startswith(b"HTTP/1.1 200")
    return body


@pytest.fixture
def pair(tmp_path) -> Pair:
    folder = tmp_path / "tls"
    folder.mkdir()
    return Pair(folder)


@pytest.fixture
def box(pypi: FakePyPI, pair: Pair, tmp_path) -> Iterator[CheeseboxProcess]:
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cache", *pair.options) as process:
        yield process


def port_of(box: CheeseboxProcess) -> int:
    return int(box.url.split(":")[2].split("/")[0])


def test_it_is_announced_and_speaks_http_1_1_over_tls_from_1_2_on(box, pair):
    assert box.url.startswith("https://127.0.0.1:")
    with pair.connect(port_of(box)) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
        assert connection.version() == "TLSv1.3"
        assert get(connection, "/-/ready") == b"ready\n"
    older = ssl.create_default_context(cafile=str(pair.authority))
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with pair.connect(port_of(box), older) as connection:
        assert connection.version() == "TLSv1.2"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_older_versions_are_refused(box, pair):
    ancient = ssl.create_default_context(cafile=str(pair.authority))
    ancient.minimum_version = ancient.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        pair.connect(port_of(box), ancient)


def test_strangers_leave_no_traceback_in_the_log(box, pair):
    port = port_of(box)
    with pytest.raises(ssl.SSLCertVerificationError):
        pair.connect(port, ssl.create_default_context(cafile=trusting_nobody(pair)))
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b""):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            plain.sendall(data)
    assert pair.is_served(port)
    assert "Traceback" not in "\n".join(box.log_lines())


def trusting_nobody(pair: Pair) -> str:
    other = pair.cert.parent / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    return str(other)


def test_files_of_all_sizes_come_whole_cold_and_repeated(box, pair, pypi):
    files = [
        pypi.add_file("demo", f"demo-{n}.tar.gz", incompressible(size, seed=str(n)))
        for n, size in enumerate((1000, 200_000, 3 << 20))
    ]
    with pair.connect(port_of(box)) as connection:
        get(connection, "/pypi/simple/demo/")
        for file in files:
            for _ in range(3):
                assert get(connection, f"/pypi{file.path}") == file.content


def test_repeated_requests_take_the_hot_lane(pair, pypi, tmp_path):
    file = pypi.add_file("demo", "demo-1.0.tar.gz", incompressible(10_000, seed="hot"))
    calls = []

    def counting(app):
        async def counted(scope, receive, send):
            calls.append(scope.get("path"))
            await app(scope, receive, send)

        return counted

    running = run_app(tmp_path / "cache", pypi.simple_url, wrap=counting)
    running._config.http = with_lane(running.app.hot_lane)
    running._config.ssl_context_factory = lambda *_: Certificates(pair.cert, pair.key).context
    with running, pair.connect(running.port) as connection:
        get(connection, "/pypi/simple/demo/")
        for _ in range(5):
            assert get(connection, f"/pypi{file.path}") == file.content
        before = len(calls)
        for _ in range(5):
            assert get(connection, f"/pypi{file.path}") == file.content
        assert len(calls) == before


def test_a_renewed_certificate_is_seen_by_new_connections_and_old_ones_go_on(box, pair):
    port = port_of(box)
    with pair.connect(port) as connection:
        pair.renew()
        assert not pair.is_served(port)
        box.wait_for_line("TLS: took over")
        assert pair.is_served(port)
        assert get(connection, "/-/ready") == b"ready\n"


def test_a_broken_pair_is_told_once_and_the_old_one_kept(pair, caplog):
    certificates = Certificates(pair.cert, pair.key)
    before = certificates._current
    pair.cert.write_text("no certificate")
    certificates.look()
    certificates.look()
    assert certificates._current is before
    [record] = caplog.records
    assert (record.levelno, "kept the former certificate" in record.message) == (logging.ERROR, True)
    pair.renew()
    certificates.look()
    assert certificates._current is not before


def test_a_certificate_without_its_key_keeps_the_old_pair_whole(box, pair):
    port = port_of(box)
    trusted = pair.authority.read_bytes()
    key = pair.key.read_bytes()
    pair.renew()
    pair.key.write_bytes(key)  # the renewal was seen halfway, or is wrong
    box.wait_for_line("kept the former certificate")
    pair.authority.write_bytes(trusted)
    assert pair.is_served(port)


def test_files_that_are_gone_are_told_once_and_picked_up_when_they_are_back(pair, caplog):
    certificates = Certificates(pair.cert, pair.key)
    before = certificates._current
    pair.cert.unlink()
    certificates.look()
    certificates.look()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    pair.renew()
    certificates.look()
    assert certificates._current is not before


def test_a_swapped_link_is_a_change(pair, tmp_path):
    links = tmp_path / "live"
    links.symlink_to(pair.cert.parent)
    certificates = Certificates(links / "cert.pem", links / "key.pem")
    before = certificates._current
    certificates.look()
    assert certificates._current is before
    other = tmp_path / "other"
    other.mkdir()
    Pair(other)
    new = tmp_path / "new"
    new.symlink_to(other)
    new.rename(links)
    certificates.look()
    assert certificates._current is not before


def test_a_key_with_a_password_needs_it(pair):
    from cryptography.hazmat.primitives import serialization as s

    key = s.load_pem_private_key(pair.key.read_bytes(), None)
    locked = key.private_bytes(
        s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"open sesame")
    )
    pair.key.write_bytes(locked)
    assert Certificates(pair.cert, pair.key, "open sesame").context.sni_callback
    for wrong in (None, "no"):
        with pytest.raises(SettingsError, match="no certificate and its key"):
            Certificates(pair.cert, pair.key, wrong)


def test_a_pair_that_is_none_stops_the_start(pypi, pair, tmp_path):
    pair.key.write_text("no key")
    with (
        pytest.raises(RuntimeError, match=r"cheesebox: .*tls_key .*no certificate and its key"),
        CheeseboxProcess(pypi.simple_url, tmp_path / "cache", *pair.options),
    ):
        pass


def test_the_example_of_the_documentation_serves_with_tls(pypi, pair, tmp_path):
    config = tmp_path / "cheesebox.toml"
    config.write_text(example("tls.md", "toml").replace("/etc/cheesebox", str(pair.cert.parent)))
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cache", "--config", str(config)) as process:
        assert pair.is_served(port_of(process))


def test_a_command_is_run_with_the_server_that_is_there(box, pair, tmp_path):
    port = str(port_of(box))
    program = "import os; print(os.environ['PIP_INDEX_URL'])"
    command = ("run", "--cache-dir", str(tmp_path / "cache"), "--port", port, *pair.options)
    argv = (sys.executable, "-m", "cheesebox", *command, "--", sys.executable, "-c", program)
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == f"{box.url}\n"


def test_the_doctor_finds_a_server_with_tls(box, pair):
    settings = load_settings(
        None, {}, {"port": str(port_of(box)), "tls_cert": pair.cert, "tls_key": pair.key}
    )
    assert look_for_server(settings) is Listener.READY


@pytest.mark.clients
@pytest.mark.timeout(300)
def test_pip_installs_over_tls(box, pair, pypi, tmp_path):
    pypi.add_wheel("helper", "1.0")
    pypi.add_wheel("demo", "1.0", requires=["helper"])
    pip = Client(prepare(PIPS[-1]), tmp_path / "pip")
    command = ("install", "--index-url", box.url, "--target", "installed", "demo")
    pip.run(*command, "--cert", str(pair.authority))
    assert (pip.project / "installed" / "helper-1.0.dist-info").is_dir()
    code, output = pip.fresh("strict").attempt(*command, "--retries", "0", "--timeout", "5")
    assert code != 0
    assert "CERTIFICATE_VERIFY_FAILED" in output
