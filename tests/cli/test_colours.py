import os
import subprocess
import sys

import pytest


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
