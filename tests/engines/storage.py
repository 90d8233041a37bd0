"""Real servers of object storage, on loopback, each with one empty bucket."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUCKET = "cheese"
_ACCESS_KEY = "an-access-key"
_SECRET_KEY = "a-secret-key"
_REGION = "us-east-1"
_PATIENCE = 30.0
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Storage:
    """A server that answers; ``url`` and ``options`` are what a client of the bucket is given."""

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
def run_seaweedfs(directory: Path) -> Iterator[Storage]:
    """Run SeaweedFS with its S3 gateway, which checks signatures and takes a few seconds to start."""
    environment = {"AWS_ACCESS_KEY_ID": _ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": _SECRET_KEY}
    with _running("seaweedfs", _seaweedfs_command, directory, environment) as storage:
        yield storage


def _seaweedfs_command(directory: Path) -> tuple[int, list[str]]:
    names = [f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")]
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    command = [
        str(Path(sys.executable).with_name("weed")),
        "server",
        "-s3",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
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
    return ports["s3.port"], command


@contextmanager
def run_localbucket(directory: Path) -> Iterator[Storage]:
    """Run localbucket, which starts at once; it has no bulk deletes and checks no signature."""
    with _running("localbucket", _localbucket_command, directory, {}) as storage:
        yield storage


def _localbucket_command(directory: Path) -> tuple[int, list[str]]:
    [port] = _free_ports(1)
    program = Path(sys.executable).with_name("localbucket")
    return port, [sys.executable, str(program), "--port", str(port), str(directory)]


def parts_left(storage: Storage) -> list[str]:
    """Name the multipart uploads that were neither completed nor aborted."""
    if storage.name == "localbucket":
        return [path.name for path in (storage.directory / ".localbucket-uploads").glob("*")]
    status, answer = storage.ask("GET", f"/{BUCKET}", "uploads=")
    assert status == 200, answer
    return re.findall(r"<UploadId>([^<]+)</UploadId>", answer.decode())


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def _running(
    name: str,
    command_in: Callable[[Path], tuple[int, list[str]]],
    directory: Path,
    environment: dict[str, str],
) -> Iterator[Storage]:
    for attempt in range(_ATTEMPTS):
        place = directory / str(attempt)
        place.mkdir(parents=True, exist_ok=True)
        port, command = command_in(place)
        storage = Storage(name, f"http://127.0.0.1:{port}", place)
        with _process(command, place, environment) as process:
            if _gets_ready(storage, process):
                yield storage
                return
    log = directory.joinpath(f"{_ATTEMPTS - 1}.log").read_text(errors="replace")
    raise AssertionError(f"{name} does not answer:\n{log[-2000:]}")


@contextmanager
def _process(
    command: list[str], directory: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with directory.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()  # nothing of it is to be kept, and a graceful end takes its time
        process.wait()


def _gets_ready(storage: Storage, process: subprocess.Popen[bytes]) -> bool:
    """Make the bucket and an object in it: only then all parts of the server have found each other.

    The server ends at once when somebody was faster to take a port that was free.
    """
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError):
            made, _ = storage.ask("PUT", f"/{BUCKET}")
            put, _ = storage.ask("PUT", f"/{BUCKET}/first", body=b"first")
            if made in {200, 409} and put == 200:
                storage.ask("DELETE", f"/{BUCKET}/first")
                return True
        time.sleep(0.05)
    return False
