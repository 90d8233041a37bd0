import asyncio
import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest

from cheesebox.errors import CheeseboxError
from cheesebox.server.lifespan import StartupFailed
from cheesebox.server.run import ServerOptions, run, serve, serving
from cheesebox.server.sockets import listen, root_url
from tests.server.tiny_app import TinyApp


class TinyServer:
    """The tiny program as a process of its own."""

    def __init__(self, grace):
        command = [sys.executable, "-m", "tests.server.tiny_app", str(grace)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = urlsplit(self.process.stdout.readline().strip()).netloc

    def signal(self):
        self.process.send_signal(signal.SIGTERM)

    def release(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def wait_until_it_refuses_connections(self):
        while True:
            host, port = self.address.split(":")
            try:
                socket.create_connection((host, int(port)), timeout=10).close()
            except OSError:
                return

    def end(self):
        """Give the exit code and the last words."""
        words, _ = self.process.communicate(timeout=30)
        return self.process.returncode, words.strip()


@pytest.fixture
def tiny(request):
    server = TinyServer(getattr(request, "param", 30))
    yield server
    server.process.kill()
    server.process.communicate()


@pytest.fixture
def slow_answer(tiny):
    connection = http.client.HTTPConnection(tiny.address, timeout=30)
    connection.request("GET", "/slow")
    answer = connection.getresponse()
    assert answer.read(6) == b"first "
    yield answer
    answer.close()
    connection.close()


def test_the_first_signal_lets_a_running_answer_finish_and_the_exit_code_is_zero(tiny, slow_answer):
    tiny.signal()
    tiny.wait_until_it_refuses_connections()
    tiny.release()
    assert slow_answer.read() == b"last"
    assert tiny.end() == (0, "stopped")


def test_a_second_signal_cuts_off_what_runs(tiny, slow_answer):
    tiny.signal()
    tiny.wait_until_it_refuses_connections()
    tiny.signal()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        slow_answer.read()
    assert tiny.end() == (0, "cut")


@pytest.mark.parametrize("tiny", [1], indirect=True)
def test_running_answers_are_cut_off_when_the_grace_is_over(tiny, slow_answer):
    tiny.signal()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        slow_answer.read()
    assert tiny.end() == (0, "stopped")


def test_an_idle_connection_does_not_hold_up_the_end(tiny):
    connection = http.client.HTTPConnection(tiny.address, timeout=30)
    connection.request("GET", "/hello")
    assert connection.getresponse().read() == b"hello"
    tiny.signal()
    assert tiny.end() == (0, "stopped")
    connection.close()


def lifespan_app(*messages, error=None, leave=None):
    """Build an application that sends these lifespan messages, one for each that it gets."""

    async def app(_scope, receive, send):
        for message in messages:
            await receive()
            await send({"type": f"lifespan.{message}", "message": "the disk is gone"})
        if leave is not None:
            await leave()
        if error is not None:
            raise error

    return app


def serve_until_it_fails(app):
    with listen("127.0.0.1", 0) as sock:
        serve(app, sock, ServerOptions())


def test_a_start_that_the_application_calls_failed_is_raised_in_its_words():
    with pytest.raises(StartupFailed, match=r"^the disk is gone$"):
        serve_until_it_fails(lifespan_app("startup.failed"))


def test_a_domain_error_during_the_start_is_raised_in_its_words():
    with pytest.raises(StartupFailed, match=r"^no room$"):
        serve_until_it_fails(lifespan_app(error=CheeseboxError("no room")))


def test_a_bug_during_the_start_is_raised_as_it_is():
    with pytest.raises(ZeroDivisionError):
        serve_until_it_fails(lifespan_app(error=ZeroDivisionError()))


def test_an_application_that_ends_during_its_start_has_failed():
    with pytest.raises(StartupFailed, match=r"^the application ended before its startup was complete$"):
        serve_until_it_fails(lifespan_app())


def test_an_application_that_dies_takes_the_server_with_it():
    with pytest.raises(ZeroDivisionError):
        serve_until_it_fails(lifespan_app("startup.complete", error=ZeroDivisionError()))


def test_a_failed_stop_is_raised():
    async def work():
        with listen("127.0.0.1", 0) as sock:
            async with serving(lifespan_app("startup.complete", "shutdown.failed"), sock, ServerOptions()):
                pass
        return 0

    with pytest.raises(CheeseboxError, match=r"^the disk is gone$"):
        run(work())


def test_the_former_signal_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with contextlib.suppress(StartupFailed):
        serve_until_it_fails(lifespan_app("startup.failed"))
    assert signal.getsignal(signal.SIGTERM) is before


def fetch(url, path):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.headers, body


def test_serving_beside_other_work_answers_until_that_work_ends():
    app = TinyApp()
    seen = []

    async def work():
        with listen("127.0.0.1", 0) as sock:
            async with serving(app, sock, ServerOptions()):
                seen.append(await asyncio.to_thread(fetch, root_url(sock), "/hello"))
        return 5

    assert run(work()) == 5
    (headers, body), stopped = seen[0], app.stopped
    assert (body, stopped) == (b"hello", True)
    assert headers["date"]
    assert headers["server"] is None


def test_a_server_outside_the_main_thread_leaves_signals_alone():
    outcome = []

    def work():
        try:
            serve_until_it_fails(lifespan_app("startup.failed"))
        except StartupFailed as error:
            outcome.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert outcome == ["the disk is gone"]
