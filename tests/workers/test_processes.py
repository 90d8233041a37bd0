"""The real program with workers, seen from outside: one upstream request, and nobody notices a death."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.fakes.faults import RateLimit
from tests.fakes.pypi import FakePyPI

pytestmark = pytest.mark.timeout(120)

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def pypi():
    with FakePyPI() as double:
        yield double


@pytest.fixture
def box(pypi, tmp_path):
    with CheeseboxProcess(
        pypi.simple_url, tmp_path / "cache", "--workers", "2", "--min-free", "0"
    ) as program:
        yield program


def pid_of(box, name):
    """Give the process that has this part now."""
    lines = [line for line in box.log_lines() if f"{name} is process" in line]
    return int(lines[-1].rpartition(" ")[2])


def kill(box, name):
    """Kill one, and wait for the one that takes its place; gives its process id."""
    before = pid_of(box, name)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pid_of(box, name) != before)
    return pid_of(box, name)


def wait_until(holds, seconds=20):
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it never came to be"
        time.sleep(0.02)


def get(box, path, **fields):
    """Give status, header fields and body; each call is a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(box.url).netloc, timeout=30)
    try:
        connection.request("GET", path, headers={"Accept": JSON, **fields})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def at_both(box, path, **fields):
    """Ask so often that both workers have answered: which one does is the system's choice."""
    return [get(box, path, **fields) for _ in range(16)]


def test_fifty_cold_clients_cost_one_upstream_request(pypi, box):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=3_000_000)
    with ThreadPoolExecutor(50) as pool:
        bodies = list(pool.map(lambda _: get(box, f"/pypi{wheel.path}")[2], range(50)))
    assert all(body == wheel.content for body in bodies)
    assert pypi.count(wheel.path, "GET") == 1


def test_hits_at_all_workers_add_up(pypi, box):
    pypi.add_wheel("demo", "1.0")
    at_both(box, "/pypi/simple/demo/")

    def hits():
        overview = get(box, "/-/api/v1/overview")[2].decode()
        found = re.search(r'"kind":"page","outcome":"HIT","answers":(\d+)', overview)
        return int(found[1]) if found else 0

    wait_until(lambda: hits() == 15)


def test_a_purge_and_a_refresh_are_seen_by_all_workers(pypi, box, tmp_path):
    wheel = pypi.add_wheel("demo", "1.0")
    at_both(box, "/pypi/simple/demo/")
    at_both(box, f"/pypi{wheel.path}")
    subprocess.run(
        [sys.executable, "-m", "cheesebox", "purge", "demo", "--cache-dir", str(tmp_path / "cache")],
        check=True,
        capture_output=True,
    )
    pypi.add_wheel("demo", "2.0")
    assert all(b"demo-2.0" in body for _, _, body in at_both(box, "/pypi/simple/demo/"))
    assert pypi.count(wheel.path, "GET") == 1
    at_both(box, f"/pypi{wheel.path}")
    assert pypi.count(wheel.path, "GET") == 2


def shows_demo(box):
    return [b"demo-1.0" in body for _, _, body in at_both(box, "/pypi/simple/demo/")]


def test_all_workers_are_offline_at_once_and_stay_so_with_another_keeper(pypi, box):
    pypi.add_wheel("demo", "1.0")
    at_both(box, "/pypi/simple/demo/")
    os.kill(box.pid, signal.SIGUSR1)
    box.wait_for_line("offline: no upstream is asked")
    wait_until(lambda: not any(shows_demo(box)), seconds=1)
    kill(box, "the keeper")
    wait_until(lambda: not any(shows_demo(box)), seconds=1)
    assert get(box, "/pypi/simple/other/")[0] == 424
    os.kill(box.pid, signal.SIGUSR2)
    box.wait_for_line("online: upstreams are asked again")
    wait_until(lambda: all(shows_demo(box)), seconds=1)


def test_a_killed_worker_is_replaced_and_its_counts_are_not_missed_by_others(pypi, box):
    pypi.add_wheel("demo", "1.0")
    at_both(box, "/pypi/simple/demo/")
    kill(box, "worker 1")
    assert all(status == 200 for status, _, _ in at_both(box, "/pypi/simple/demo/"))
    assert pypi.count("/simple/demo/") == 1


class Load:
    """Six clients that ask for files, each time by a new connection, while the ``with`` block runs."""

    def __init__(self, box, wheels):
        self.wrong, self.failed, self.served = [], [], 0
        self._box, self._wheels = box, wheels
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(6)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, turn):
        while not self._stopped.is_set():
            wheel = self._wheels[turn % len(self._wheels)]
            turn += 1
            try:
                status, _, body = get(self._box, f"/pypi{wheel.path}")
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                continue
            self.served += 1
            if status != 200 or body != wheel.content:
                self.wrong.append(f"{status} {len(body)}")

    def wait_for_more(self):
        before = self.served
        wait_until(lambda: self.served > before + 20)


@pytest.fixture
def wheels(pypi):
    return [pypi.add_wheel("demo", f"{n}.0", size_padding=40_000 * n) for n in range(1, 12)]


def test_clients_do_not_notice_that_the_keeper_is_killed_under_load(box, wheels):
    with Load(box, wheels) as load:
        for _ in range(3):
            kill(box, "the keeper")
            load.wait_for_more()
    assert load.wrong == []
    assert load.failed == []


def test_a_killed_worker_fails_its_own_connections_only(box, wheels):
    with Load(box, wheels) as load:
        load.wait_for_more()
        kill(box, "worker 2")
        load.wait_for_more()
    assert load.wrong == []
    assert len(load.failed) <= 6


def test_the_cache_keeps_its_size_with_workers(pypi, wheels, tmp_path):
    options = ("--workers", "2", "--min-free", "0", "--max-size", "1000000")
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cache", *options) as box:
        with Load(box, wheels) as load:
            load.wait_for_more()
            load.wait_for_more()
        assert load.wrong == []
        assert load.failed == []
        stored = [path for path in (tmp_path / "cache" / "pypi").rglob("*.whl") if path.is_file()]
        assert 0 < sum(path.stat().st_size for path in stored) <= 1_000_000


def test_a_body_under_way_goes_on_when_the_keeper_is_killed(pypi, box):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=6_000_000)
    pypi.fault(f"{wheel.path}", RateLimit(3_000_000))
    connection = http.client.HTTPConnection(urlsplit(box.url).netloc, timeout=60)
    connection.request("GET", f"/pypi{wheel.path}")
    answer = connection.getresponse()
    body = answer.read(2_000_000)
    kill(box, "the keeper")
    body += answer.read()
    connection.close()
    assert body == wheel.content
    box.wait_for_line("goes on from the [0-9]{7} bytes on disk")
    assert pypi.count(wheel.path, "GET") == 2
    assert get(box, f"/pypi{wheel.path}")[2] == wheel.content


def test_the_end_of_the_supervisor_is_the_end_of_all(pypi, box):
    pypi.add_wheel("demo", "1.0")
    get(box, "/pypi/simple/demo/")
    children = [pid_of(box, name) for name in ("the keeper", "worker 1", "worker 2")]
    box.kill()
    wait_until(lambda: not any(is_running(pid) for pid in children))


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_signal_stops_all_with_exit_code_zero_after_the_answers_under_way(pypi, tmp_path):
    wheel = pypi.add_wheel("demo", "1.0", size_padding=2_000_000)
    pypi.fault(f"{wheel.path}", RateLimit(1_500_000))
    box = CheeseboxProcess(pypi.simple_url, tmp_path / "cache", "--workers", "2", "--min-free", "0").start()
    children = [pid_of(box, name) for name in ("the keeper", "worker 1", "worker 2")]
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(get, box, f"/pypi{wheel.path}")
        pypi.wait_for_requests(wheel.path)
        assert box.stop() == 0
        assert asked.result()[2] == wheel.content
    assert not any(is_running(pid) for pid in children)


def test_what_stops_the_keeper_from_starting_is_told_in_one_line(pypi, box, tmp_path):
    beside = CheeseboxProcess(pypi.simple_url, tmp_path / "cache", "--workers", "2")
    with pytest.raises(RuntimeError, match="in use by another cheesebox"):
        beside.start()
    assert beside.stop() == 2
    assert get(box, "/-/health")[0] == 200


def test_a_port_that_others_have_is_told(pypi, box, tmp_path):
    port = str(urlsplit(box.url).port)
    beside = CheeseboxProcess(pypi.simple_url, tmp_path / "other", "--workers", "2", "--port", port)
    with pytest.raises(RuntimeError, match="is in use"):
        beside.start()
    assert beside.stop() == 2
