"""The switch as seen from outside: the option, the signals, and the answers that are kept ready."""

from __future__ import annotations

import http.client
import json
import os
import signal
from contextlib import closing
from urllib.parse import urlsplit
from urllib.request import urlopen

from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.fakes.pypi import FakePyPI

JSON = "application/vnd.pypi.simple.v1+json"


def versions(box):
    """Ask as installers do, over a connection that is kept: so answers come from the hot lane, too."""
    url = urlsplit(f"{box.url}demo/")
    with closing(http.client.HTTPConnection(url.netloc, timeout=30)) as connection:
        connection.request("GET", url.path, headers={"Accept": JSON})
        return json.load(connection.getresponse())["versions"]


def test_signals_switch_a_running_server_and_the_log_tells(tmp_path):
    with FakePyPI() as pypi, CheeseboxProcess(pypi.simple_url, tmp_path / "cache") as box:
        old = pypi.add_wheel("demo", "1.0")
        pypi.add_wheel("demo", "2.0")
        with urlopen(f"{box.mount_url}{old.path}", timeout=30) as answer:
            assert answer.read() == old.content
        assert [versions(box) for _ in range(3)] == [["1.0", "2.0"]] * 3
        pypi.clear()

        os.kill(box.pid, signal.SIGUSR1)
        box.wait_for_line("offline: no upstream is asked, what is in the cache is served")
        assert [versions(box) for _ in range(3)] == [["1.0"]] * 3
        assert pypi.count("*") == 0

        os.kill(box.pid, signal.SIGUSR2)
        box.wait_for_line("online: upstreams are asked again")
        assert versions(box) == ["1.0", "2.0"]
        assert box.stop() == 0


def test_a_server_that_starts_offline_says_so(tmp_path):
    with CheeseboxProcess("http://127.0.0.1:9/simple/", tmp_path / "cache", "--offline") as box:
        box.wait_for_line("offline: no upstream is asked")
