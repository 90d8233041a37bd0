"""Completion, by the shells themselves where they are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cheesebox.cli.completion import SHELLS
from cheesebox.cli.main import COMMANDS, main

BIN = Path(sys.executable).parent
COMPLETE_IN_BASH = """\
source {script}
COMP_WORDS=({words}) COMP_CWORD={position}
{function}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def script_of(shell, capsys):
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def environment(tmp_path):
    return {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path)}


@pytest.fixture
def complete(tmp_path, capsys):
    """Give what bash offers for a command line whose last word is being written."""
    script = tmp_path / "cheesebox.bash"
    script.write_text(script_of("bash", capsys))

    def ask(*words):
        quoted = " ".join(f"'{word}'" for word in ("cheesebox", *words))
        code = COMPLETE_IN_BASH.format(
            script=script, words=quoted, position=len(words), function="_cheesebox_completion cheesebox"
        )
        done = subprocess.run(
            ["bash", "--norc", "-c", code],
            env=environment(tmp_path),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    return ask


def test_bash_completes_commands(complete):
    assert complete("") == list(COMMANDS)
    assert complete("ver") == ["verify"]
    assert complete("nope") == []


def test_bash_completes_options_and_their_values(complete):
    assert set(complete("serve", "--max-s")) == {"--max-size"}
    assert complete("serve", "--log-level", "") == ["debug", "info", "warning", "error"]
    assert complete("serve", "--undated", "k") == ["keep"]
    assert complete("config", "g") == ["github-actions"]
    assert complete("completion", "") == list(SHELLS)


def test_commands_are_completed_without_importing_them(tmp_path):
    code = (
        "import sys; from cheesebox.cli.main import group; import click; g = group();"
        "c = click.Context(g); print(len(g.shell_complete(c, '')));"
        "print([n for n in ('aiohttp', 'uvicorn', 'rich', 'sqlite3') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split("\n")[:2] == [str(len(COMMANDS)), "[]"]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_registers_the_program_with_its_shell(shell, tmp_path, capsys):
    script = script_of(shell, capsys)
    assert f"_CHEESEBOX_COMPLETE={shell}_complete" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: its reading of the script is not tried")
    file = tmp_path / "script"
    file.write_text(script)
    subprocess.run([shell, "-n", str(file)], check=True, env=environment(tmp_path))


def test_a_shell_that_is_not_known_is_told_in_one_line(capsys):
    assert main(["completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err
