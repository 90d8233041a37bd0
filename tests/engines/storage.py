"""Real servers of object storage, on loopback, each with one empty bucket."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "cheese"
_ACCESS_KEY = "an-access-key"
_SECRET_KEY = "a-secret-key"
_REGION = "us-east-1"
_PATIENCE = 40.0


@dataclass
class Storage:
    """A server; ``url`` and ``options`` are what a client of the bucket is given."""

    name: str
    endpoint: str
    directory: Path

    @property
    def url(self) -> str:
        return f"s3://{BUCKET}"

    @property
    def options(self) -> dict[str, str]:
        return {
            "endpoint": self.endpoint,
            "region": _REGION,
            "access_key_id": _ACCESS_KEY,
            "secret_access_key": _SECRET_KEY,
            "allow_http": "true",
            "virtual_hosted_style_request": "false",
        }

    def ask(self, method: str, path: str, query: str = "", body: bytes = b"") -> tuple[int, bytes]:
        """Send a signed request (AWS Signature Version 4) for what the client under test cannot ask."""
        url = f"{self.endpoint}{path}" + (f"?{query}" if query else "")
        headers = _signed(method, self.endpoint, path, query, body)
        request = urllib.request.Request(url, data=body or None, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


@dataclass
class StorageServer(Storage):
    """Its process, which can be paused, killed and started again: it keeps its ports and data.

    Use as a context manager.
    """

    command: list[str]
    settings: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()  # nothing of it is to be kept, and a graceful end takes its time

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self.directory.with_suffix(".log")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.directory,
                env={**os.environ, **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            _wait_until_ready(self, self._process, log)
        except BaseException:
            self.kill()
            raise

    def pause(self) -> None:
        """Have it answer nothing, with all connections open."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it, paused or not; idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
            self._process = None

    def ensure_running(self) -> None:
        """Start it if it was killed."""
        if self._process is None:
            self.start()

    @property
    def environment(self) -> dict[str, str]:
        """Give what a program is told of who may use it."""
        return {
            "AWS_ACCESS_KEY_ID": _ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET_KEY,
            "AWS_REGION": _REGION,
        }


def _signed(method: str, endpoint: str, path: str, query: str, body: bytes) -> dict[str, str]:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {
        "host": urllib.parse.urlsplit(endpoint).netloc,
        "x-amz-content-sha256": digest,
        "x-amz-date": now,
    }
    names = ";".join(headers)
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    lines = [method, path, urllib.parse.urlencode(pairs), *(f"{k}:{v}" for k, v in headers.items())]
    request = "\n".join([*lines, "", names, digest])
    scope = f"{now[:8]}/{_REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = b"AWS4" + _SECRET_KEY.encode()
    for step in (*scope.split("/"), text):
        key = hmac.digest(key, step.encode(), "sha256")
    credential = f"Credential={_ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {credential}"}


@contextmanager
def run_seaweedfs(directory: Path) -> Iterator[StorageServer]:
    """Run SeaweedFS with its S3 gateway, which checks signatures and takes a few seconds to start."""
    master, volume, filer, gateway = _free_ports(4)
    ports = {
        "master.port": master[0],
        "master.port.grpc": master[1],
        "volume.port": volume[0],
        "volume.port.grpc": volume[1],
        "filer.port": filer[0],
        "filer.port.grpc": filer[1],
        "s3.port": gateway[0],
        "s3.port.grpc": gateway[1],
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
    }
    command = [
        str(Path(sys.executable).with_name("weed")),
        "server",
        "-s3",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={directory}",
        "-volume.max=200",
        "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false",
        "-volume.minFreeSpace=1MiB",
        f"-filer.localSocket={directory}/filer.sock",
        f"-s3.localSocket={directory}/s3.sock",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    environment = {"AWS_ACCESS_KEY_ID": _ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": _SECRET_KEY}
    url = f"http://127.0.0.1:{gateway[0]}"
    with StorageServer("seaweedfs", url, directory, command, environment) as storage:
        yield storage


@contextmanager
def run_localbucket(directory: Path) -> Iterator[StorageServer]:
    """Run localbucket, which starts at once; it has no bulk deletes and checks no signature."""
    [[port, _]] = _free_ports(1)
    program = Path(sys.executable).with_name("localbucket")
    command = [sys.executable, str(program), "--port", str(port), str(directory)]
    with StorageServer("localbucket", f"http://127.0.0.1:{port}", directory, command) as storage:
        yield storage


def parts_left(storage: Storage) -> list[str]:
    """Name the multipart uploads that were neither completed nor aborted."""
    if storage.name == "localbucket":
        return [path.name for path in (storage.directory / ".localbucket-uploads").glob("*")]
    status, answer = storage.ask("GET", f"/{BUCKET}", "uploads=")
    assert status == 200, answer
    return re.findall(r"<UploadId>([^<]+)</UploadId>", answer.decode())


def _free_ports(count: int) -> list[tuple[int, int]]:
    """Find pairs of ports that nobody has now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2 * count)]
        ports = [each.getsockname()[1] for each in sockets]
    return list(zip(ports[::2], ports[1::2], strict=True))


def _wait_until_ready(storage: Storage, process: subprocess.Popen[bytes], log: Path) -> None:
    """Make the bucket and an object in it: only then all parts of the server have found each other."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError):
            made, _ = storage.ask("PUT", f"/{BUCKET}")
            put, _ = storage.ask("PUT", f"/{BUCKET}/first", body=b"first")
            if made in {200, 409} and put == 200:
                storage.ask("DELETE", f"/{BUCKET}/first")
                return
        time.sleep(0.05)
    raise AssertionError(f"{storage.name} does not answer:\n{log.read_text(errors='replace')[-2000:]}")
