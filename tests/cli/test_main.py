import subprocess
import sys

import click
import pytest

from cheesebox import __version__
from cheesebox.cli import main as program
from cheesebox.cli.main import main
from cheesebox.errors import CheeseboxError
from cheesebox.setting_values import Unit
from cheesebox.settings import describe


def test_the_version_is_told_without_loading_the_server(tmp_path):
    heavy = ("aiohttp", "uvicorn", "uvloop", "sqlite3", "rich")
    code = (
        "import sys; from cheesebox.cli.main import main; main(['--version']); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines() == [f"cheesebox {__version__}", "[]"]


def test_the_package_is_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "cheesebox", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"cheesebox {__version__}\n"


def test_without_a_command_the_help_lists_each_with_its_purpose(capsys):
    assert main([]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, entry in program.COMMANDS.items():
        assert f" {name} {entry.help}" in text


@pytest.mark.parametrize("command", ["serve", "run"])
def test_the_help_names_each_setting_with_its_default(command, capsys):
    assert main([command, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for setting in describe():
        assert (f"{setting.option} " in text) is not setting.is_secret
        if setting.default not in (None, "", ()) and setting.name != "cache_dir":
            assert f"[{setting.show(setting.default)}]" in text
    assert f"cheesebox {command} " in text.partition("Example:")[2]
    assert "SIZE is 256KB" in text


def test_each_flag_can_be_switched_off(capsys):
    main(["serve", "--help"])
    text = capsys.readouterr().out
    for setting in describe():
        assert (f"--no-{setting.option[2:]}" in text) is (setting.unit is Unit.FLAG)


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (
            ["serve", "--max-size", "lots"],
            "max_size (command line): 'lots' is not a size: give bytes with an",
        ),
        (["serve", "--config", "/nope.toml"], "/nope.toml: No such file or directory"),
        (["serve", "--prt", "1"], "No such option '--prt'."),
        (["serve", "extra"], "Got unexpected extra argument"),
        (["run"], "Missing argument 'COMMAND"),
        (["server"], "No such command 'server'."),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line_and_code_two(args, line, capsys):
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"cheesebox: {line}")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (CheeseboxError("two\nlines"), 2, "cheesebox: two lines\n"),
        (KeyboardInterrupt(), 130, "\n"),
        (click.Abort(), 130, ""),
    ],
)
def test_expected_ends_of_a_command_have_their_exit_codes(error, code, text, monkeypatch, capsys):
    def fail():
        raise error

    monkeypatch.setattr(program, "group", lambda: click.Command("cheesebox", callback=fail))
    assert main(["--"]) == code
    assert capsys.readouterr().err == text
