import io
import json
import logging

import pytest

from cheesebox.server import logs
from cheesebox.web.access_log import Facts, to_logger

ACCESS = (0.0, Facts(200, "HIT", 3.14159, 18_500, "GET", "/pypi/simple/six/", "127.0.0.1"))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _keep_the_log():
    root, uvicorn = logging.getLogger(), logging.getLogger("uvicorn.error")
    before = root.handlers[:], root.level, uvicorn.level
    yield
    root.handlers[:], level, uvicorn_level = before
    root.setLevel(level)
    uvicorn.setLevel(uvicorn_level)


def configured(form="text", stream=None, environ=None):
    stream = stream or io.StringIO()
    return stream, logs.configure(form, "info", stream, environ or {})


def test_an_answer_is_one_line_for_people():
    stream, sink = configured()
    sink([ACCESS])
    time, _, rest = stream.getvalue().partition(" ")
    assert time.count(":") == 2
    assert rest == "HIT         200     3.1 ms   18.5 KB GET /pypi/simple/six/ 127.0.0.1\n"


def test_an_answer_is_one_json_object_for_machines():
    stream, sink = configured("json")
    sink([ACCESS, ACCESS])
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first == second
    assert first == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "level": "info",
        "logger": "cheesebox.access",
        "status": 200,
        "cache": "HIT",
        "ms": 3.142,
        "bytes": 18_500,
        "method": "GET",
        "path": "/pypi/simple/six/",
        "client": "127.0.0.1",
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_answer_looks_the_same_through_the_logger_as_through_the_sink(form):
    stream, sink = configured(form)
    sink([ACCESS])
    to_logger([ACCESS])
    first, second = stream.getvalue().splitlines()
    assert first == second


def test_a_path_cannot_forge_a_line_or_steer_the_terminal():
    stream, sink = configured()
    sink([(0.0, ACCESS[1]._replace(path="/a\n12:00:00 HIT\x1b[2J"))])
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_a_message_has_time_level_and_text():
    stream, _ = configured()
    logging.getLogger("cheesebox.some").warning("disk %s\nis full", "a")
    assert stream.getvalue().partition(" ")[2] == "warning  disk a\\nis full\n"


def test_messages_below_the_level_and_the_servers_steps_are_left_out():
    stream, _ = configured()
    logging.getLogger("cheesebox.some").debug("detail")
    logging.getLogger("uvicorn.error").info("Started server process")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_brings_its_traceback(form):
    stream, _ = configured(form)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("cheesebox.some").exception("trouble")
    text = json.loads(stream.getvalue())["exception"] if form == "json" else stream.getvalue()
    assert text.rstrip().endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_only_a_terminal_gets_colours_and_no_color_is_honoured(stream, environ, coloured):
    _, sink = configured("text", stream, environ)
    sink([ACCESS, (0.0, ACCESS[1]._replace(status=502, cache="STALE"))])
    logging.getLogger("cheesebox.some").error("trouble")
    assert ("\x1b[" in stream.getvalue()) is coloured
