import os
import subprocess
import sys

import pytest

from cheesebox.cli.colours import wants_colours


@pytest.mark.parametrize(
    ("is_terminal", "environ", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": ""}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(is_terminal, environ, coloured):
    assert wants_colours(is_terminal=is_terminal, environ=environ) is coloured


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_difference_is_coloured_on_a_real_terminal(environ, coloured, tmp_path):
    command = [sys.executable, "-m", "cheesebox", "config", "pip", "--write", "--url", "https://a.example/"]
    terminal, end = os.openpty()
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "TERM": "xterm"}
    subprocess.run(
        command, stdout=end, check=True, cwd=tmp_path, env={"PATH": os.environ["PATH"]} | home | environ
    )
    os.close(end)
    said = os.read(terminal, 65536)
    os.close(terminal)
    assert b"index-url = https://a.example/simple/" in said
    assert (b"\x1b[32m+" in said) is coloured
