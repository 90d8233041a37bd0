import pytest

from cheesebox.cli.config.command import SNIPPETS, USER_FILES
from cheesebox.cli.main import main

URL = "https://www.example/mirror/simple/"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without configuration, and no settings from around."""
    for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("UV_NO_CONFIG", "CHEESEBOX_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "conf"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("tool", list(SNIPPETS))
def test_every_tool_has_a_snippet_for_the_address_that_is_set(tool, capsys):
    assert main(["config", tool]) == 0
    out, err = capsys.readouterr()
    assert "127.0.0.1:6283" in out or "CHEESEBOX_PORT=6283" in out or "cheesebox run" in out
    assert err == ""


@pytest.mark.parametrize(("tool", "place"), [("pip", "conf/pip/pip.conf"), ("uv", "conf/uv/uv.toml")])
def test_write_changes_the_user_s_file_once(tool, place, home, capsys):
    assert main(["config", tool, "--url", URL, "--write"]) == 0
    out = capsys.readouterr().out
    assert URL in (home / place).read_text()
    assert f"wrote {home / place}\n" in out
    assert any(line.startswith("+") and URL in line for line in out.splitlines())
    assert main(["config", tool, "--url", URL, "--write"]) == 0
    assert capsys.readouterr().out == f"{home / place} says so already\n"
    assert len(list((home / place).parent.iterdir())) == 1


def test_write_tells_where_the_former_file_is_and_what_is_stronger(home, capsys, monkeypatch):
    file = home / "conf" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[install]\nindex-url = https://other.example/\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://third.example/")
    assert main(["config", "pip", "--url", URL, "--write"]) == 0
    out, err = capsys.readouterr()
    assert "what was there is in pip.conf.bak\n" in out
    assert err.splitlines() == [
        "cheesebox: but PIP_INDEX_URL in the environment is stronger",
        "cheesebox: but [install] index-url in the same file is stronger",
    ]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("tool", sorted(set(SNIPPETS) - set(USER_FILES)))
def test_what_is_not_the_user_s_own_is_only_printed(tool, capsys):
    assert main(["config", tool, "--write"]) == 2
    assert "--write: only for pip and uv" in capsys.readouterr().err


def test_the_index_can_be_chosen(home, capsys):
    tables = [
        f'[[index]]\nname = "{name}"\nupstream = "https://{name}.example/"\n' for name in ("one", "two")
    ]
    (home / "cheesebox.toml").write_text("".join(tables))
    assert main(["config", "uv", "--index", "two"]) == 0
    assert "http://127.0.0.1:6283/two/simple/" in capsys.readouterr().out
    assert main(["config", "uv", "--index", "three"]) == 2
    assert "none of one, two" in capsys.readouterr().err


def test_a_service_reads_the_settings_file_and_leaves_the_address_to_it(home, capsys):
    (home / "cheesebox.toml").write_text("port = 8080\n")
    assert main(["config", "systemd"]) == 0
    out = capsys.readouterr().out
    assert f"serve --config {home / 'cheesebox.toml'}\n" in out
    assert "CHEESEBOX_PORT" not in out
