"""``cheesebox access``: lines for the access file."""

from __future__ import annotations

import io
import sys

import pytest

from cheesebox.cli.main import main
from cheesebox.web.door import parse_keys


def test_a_password_from_standard_input_becomes_a_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("secret word\nmore\n"))
    assert main(["access", "alice"]) == 0
    out, err = capsys.readouterr()
    assert parse_keys(out).passwords["alice"].fits(b"secret word")
    assert "secret" not in out + err


def test_a_token_is_shown_once_and_its_hash_becomes_a_line(capsys):
    assert main(["access", "ci", "--token"]) == 0
    out, err = capsys.readouterr()
    assert list(parse_keys(out).tokens.values()) == ["ci"]
    assert err.rpartition(" ")[2].strip() not in out


@pytest.mark.parametrize("name", ["a:b", "#a", "", " a", "a\nb"])
def test_a_name_that_no_line_can_hold_is_refused(name, capsys):
    assert main(["access", name, "--token"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "a name has no colon" in err


def test_no_password_is_told(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["access", "alice"]) == 2
    assert "no password on standard input" in capsys.readouterr().err
