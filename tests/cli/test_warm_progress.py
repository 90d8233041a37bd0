import io

import pytest

from cheesebox.cli.warm_progress import shown
from cheesebox.warming.filling import Failure


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self):
        return True


def watch(*, quiet):
    with shown(quiet=quiet) as progress:
        progress.more(3)
        progress.done("demo-1.0.tar.gz", 1500, was_cached=False)
        progress.done("helper-1.0.tar.gz", 0, was_cached=True)
        progress.failed(Failure("nope", "404 Not Found"))


def test_a_bar_moves_on_a_terminal(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    watch(quiet=False)
    assert "3/3" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_files_that_came_are_lines_elsewhere(capsys):
    watch(quiet=False)
    assert capsys.readouterr() == ("demo-1.0.tar.gz  1.5 KB\n", "")


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_is_shown_to_programs(monkeypatch, capsys, terminal):
    if terminal:
        monkeypatch.setattr("sys.stderr", Terminal())
    watch(quiet=True)
    assert capsys.readouterr().out == ""
