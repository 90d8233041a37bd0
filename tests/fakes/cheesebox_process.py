"""The real program as a subprocess, for tests that look at it from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LISTENS = re.compile(r"(https?://[\d.]+:\d+)(\S*)/simple/")


class CheeseboxProcess:
    """``cheesebox serve`` on a free port of loopback, ready when the ``with`` block begins.

    ``upstream_url`` is the root of a Simple API (None: the program's default), ``args`` are further
    command line arguments, ``env`` is added to the environment. The CHEESEBOX_ variables of the
    surrounding environment do not reach it.
    """

    def __init__(
        self,
        upstream_url: str | None,
        cache_dir: Path,
        *args: str,
        env: Mapping[str, str] | None = None,
        ready_timeout: float = 30,
    ) -> None:
        upstream = ("--upstream", upstream_url) if upstream_url else ()
        fixed = ("--host", "127.0.0.1", "--port", "0", "--cache-dir", str(cache_dir))
        self.command = (sys.executable, "-m", "cheesebox", "serve", *fixed, *upstream, *args)
        self.url = ""
        self.mount_url = ""
        self._env = _clean_environment() | {"PYTHONUNBUFFERED": "1"} | dict(env or {})
        self._ready_timeout = ready_timeout
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Start the program and wait until it listens. Raises RuntimeError with its output if it does not."""
        self.url = self.mount_url = ""  # it may have run before
        self._process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self._env
        )
        self._reader = threading.Thread(target=self._read, name="cheesebox-output", daemon=True)
        self._reader.start()
        with self._changed:
            self._changed.wait_for(lambda: self.url or not self._running(), self._ready_timeout)
        if not self.url:
            self.kill()
            raise RuntimeError("\n".join(["cheesebox did not come up:", *self._lines]))
        return self

    @property
    def pid(self) -> int:
        """The process id of the program (of its parent process where it has workers)."""
        return self._started().pid

    def log_lines(self) -> list[str]:
        """All lines that the program has written so far."""
        with self._changed:
            return list(self._lines)

    def wait_for_line(self, pattern: str, timeout: float = 20) -> str:
        """Wait for a line in which ``pattern`` is found. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._find(pattern), timeout):
                raise TimeoutError("\n".join([f"no line with {pattern!r} in:", *self._lines]))
            return self._find(pattern)

    def stop(self, timeout: float = 30) -> int:
        """Ask the program to end (SIGTERM) and return its exit code; a second call returns the same.

        Raises subprocess.TimeoutExpired, after killing it, when it does not end in time.
        """
        return self._end(signal.SIGTERM, timeout)

    def kill(self) -> int:
        """End the program with SIGKILL and return its exit code (-9)."""
        return self._end(signal.SIGKILL, timeout=30)

    def _end(self, number: signal.Signals, timeout: float) -> int:
        process = self._started()
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(timeout)
        finally:
            process.kill()
            process.wait()
            if self._reader is not None:
                self._reader.join(timeout=5)

    def _read(self) -> None:
        process = self._started()
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                self._take(line.rstrip("\n"))
        with self._changed:
            self._changed.notify_all()

    def _take(self, line: str) -> None:
        with self._changed:
            self._lines.append(line)
            if not self.url and (found := _LISTENS.search(line)):
                self.mount_url = found.group(1) + found.group(2)
                self.url = f"{self.mount_url}/simple/"
            self._changed.notify_all()

    def _running(self) -> bool:
        return self._reader is not None and self._reader.is_alive() and self._started().poll() is None

    def _find(self, pattern: str) -> str:
        return next((line for line in self._lines if re.search(pattern, line)), "")

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("cheesebox is not started")
        return self._process


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CHEESEBOX_")}
