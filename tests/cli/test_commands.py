"""``serve`` and ``run`` as programs."""

import http.client
import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from cheesebox import __version__
from cheesebox.server.sockets import listen


def start(*args, **options):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CHEESEBOX_")}
    command = [sys.executable, "-m", "cheesebox", *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen(command, text=True, env=environ, **pipes, **options)


def outcome(*args):
    process = start(*args)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture
def server(tmp_path):
    process = start("serve", "--port", "0", "--cache-dir", str(tmp_path / "cache"))
    line = process.stdout.readline()
    yield process, line
    process.kill()
    process.communicate()


def port_of(line):
    return str(urlsplit(line.split(" at ")[1]).netloc.split(":")[1].split("/")[0])


def test_the_server_says_where_it_listens_and_ends_with_code_zero(server, tmp_path):
    process, line = server
    port = port_of(line)
    assert line == (
        f"cheesebox {__version__} at http://127.0.0.1:{port}/pypi/simple/"
        " serves https://pypi.org/simple/"
        f"  (cache: {tmp_path / 'cache'}, 0 files, 0 B of 50.0 GB)\n"
    )
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
    connection.request("GET", "/-/health")
    assert connection.getresponse().status == 200
    connection.close()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert "GET /-/health 127.0.0.1" in err


def test_a_port_in_use_ends_the_server_with_one_line(tmp_path):
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        found = outcome("serve", "--port", str(port), "--cache-dir", str(tmp_path / "cache"))
    assert found == (
        2,
        "",
        (
            f"cheesebox: port {port} on 127.0.0.1 is in use:"
            " stop what listens there or give another with --port\n"
        ),
    )


def test_a_directory_with_other_things_in_it_ends_the_server_with_one_line(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    code, out, err = outcome("serve", "--port", "0", "--cache-dir", str(tmp_path))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert str(tmp_path) in err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_run_gives_the_command_the_cache_and_takes_its_exit_code(tmp_path):
    code = "import os, sys; print(os.environ['PIP_INDEX_URL']); sys.exit(7)"
    found, out, err = outcome("run", "--cache-dir", str(tmp_path / "cache"), "--", sys.executable, "-c", code)
    assert found == 7
    assert urlsplit(out.strip()).path == "/pypi/simple/"
    assert err == "cheesebox: nothing was asked of the cache\n"


def test_run_tells_when_there_is_no_such_command(tmp_path):
    code, _, err = outcome("run", "--cache-dir", str(tmp_path / "cache"), "--", "no-such-command")
    assert (code, err.splitlines()[0]) == (127, "cheesebox: no-such-command: no such command")


def test_run_tells_when_the_command_is_no_program(tmp_path):
    code, _, err = outcome("run", "--cache-dir", str(tmp_path / "cache"), "--", str(tmp_path))
    assert (code, err.splitlines()[0]) == (126, f"cheesebox: {tmp_path}: Permission denied")


def test_run_passes_a_signal_on_and_ends_as_the_command_does(tmp_path):
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print('waiting', flush=True)\n"
        "signal.pause()\n"
    )
    process = start("run", "--cache-dir", str(tmp_path / "cache"), "--", sys.executable, "-c", code)
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 5


def test_run_ends_like_a_shell_when_a_signal_ended_the_command(tmp_path):
    code = "import os; os.kill(os.getpid(), 15)"
    assert outcome("run", "--cache-dir", str(tmp_path / "cache"), "--", sys.executable, "-c", code)[0] == 143


def test_run_uses_the_server_that_has_the_cache_directory(server, tmp_path):
    _, line = server
    port, cache = port_of(line), str(tmp_path / "cache")
    command = ("--", sys.executable, "-c", "import os; print(os.environ['PIP_INDEX_URL'])")
    assert outcome("run", "--port", port, "--cache-dir", cache, *command) == (
        0,
        f"http://127.0.0.1:{port}/pypi/simple/\n",
        "",
    )


@pytest.mark.usefixtures("server")
def test_run_gives_up_when_the_directory_is_in_use_and_no_server_answers(tmp_path):
    with listen("127.0.0.1", 0) as sock:
        free_port = str(sock.getsockname()[1])
    code, out, err = outcome("run", "--port", free_port, "--cache-dir", str(tmp_path / "cache"), "--", "true")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "in use by another cheesebox" in err
