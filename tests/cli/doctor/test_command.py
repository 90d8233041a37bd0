import json

import pytest

from cheesebox.cli.main import main
from cheesebox.server.sockets import listen


@pytest.fixture
def args(tmp_path, pypi, monkeypatch):
    """A machine where all is well but for the clients' configuration and the server."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "CHEESEBOX_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
    limits = ("--max-size", "1MB", "--min-free", "0", "--max-connections", "10")
    cache = ("--cache-dir", str(tmp_path / "cache"))
    return ["doctor", "--upstream", pypi.simple_url, "--port", str(port), *cache, *limits]


def test_a_machine_without_failures_gives_code_zero(args, capsys):
    assert main(args) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert "\x1b" not in out
    assert lines[-1].startswith("0 failed, ")
    assert {line[:4].strip() for line in lines[:-1]} == {"ok", "warn", ""}
    for check in ("server", "upstream pypi", "clock", "cache_dir", "disk", "limits"):
        assert any(line[6:].startswith(check) for line in lines)


def test_a_failure_gives_code_one_and_a_fix(args, pypi, capsys):
    pypi.go_down()
    assert main(args) == 1
    out = capsys.readouterr().out
    assert "fail  upstream pypi  " in out
    assert "→ look at host and port in upstream" in out


def test_programs_read_the_findings_as_json(args, capsys):
    assert main([*args, "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert {frozenset(finding) for finding in findings} == {frozenset({"check", "level", "message", "fix"})}
    assert {finding["level"] for finding in findings} <= {"ok", "warn", "fail"}
    assert all(finding["fix"] for finding in findings if finding["level"] != "ok")


def test_the_settings_are_those_of_the_server(args, capsys):
    assert main([*args, "--max-size", "0"]) == 2
    assert "max_size" in capsys.readouterr().err


def test_nobody_is_asked_while_offline(args, pypi, capsys):
    assert main([*args, "--offline"]) == 0
    assert "offline is set" in capsys.readouterr().out
    assert pypi.count("*") == 0
